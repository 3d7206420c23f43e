/** Publishing into a slow log: no effect and no reply before the log has replied. */
import { afterAll, afterEach, expect, test } from 'bun:test'
import { createSlowLog, eventually, type Frame, isMessage, refusal, startBus, type TestClient } from '@arqonbus/testing'

const slow = createSlowLog({ recent: 4 })
const SEND_BUFFER_SOFT_LIMIT = 64 * 1024
const bus = await startBus({ rateLimit: null, sendBufferSoftLimit: SEND_BUFFER_SOFT_LIMIT }, { log: slow.forBus })
afterEach(() => slow.settle())
afterAll(() => slow.flow())

let rooms = 0
/** Clients that are all in one channel of a new room. */
async function inChannel(...ids: string[]) {
  const room = `room${++rooms}`
  const clients = await Promise.all(ids.map((id) => bus.as(`${id}-${rooms}`, `${room}:talk`)))
  return {
    at: { room, channel: 'talk' },
    address: `${room}:talk`,
    clients: clients as [TestClient, TestClient, TestClient],
  }
}

/** Waits until this many drafts or requests are on their way to the store. */
const arrived = (count: number) => slow.until(({ arrivals }) => arrivals === count)
/** A frame as a short text. */
const wordOf = ({ type, id, payload, metadata }: Frame): string =>
  type === 'command_response'
    ? `${payload.status} ${payload.request_id}`
    : `${type} ${id} ${metadata?.position?.split('-')[1]}`

test('a message is delivered and acknowledged once the log has it, and not before', async () => {
  const { at, clients } = await inChannel('ann', 'bob')
  const [ann, bob] = clients
  const id = ann.send({ ...at, metadata: { ack: true } })
  await arrived(1)
  expect([await ann.messages(), await bob.messages()]).toEqual([[], []])
  slow.store()
  expect([await ann.messages(), await bob.messages()]).toEqual([[], []])
  slow.tell()
  expect((await bob.messages()).map(({ id }) => id)).toEqual([id])
  await ann.command('ping')
  expect(ann.frames.map(wordOf)).toEqual([`event ${id} 1`, `success ${id}`])
})

test('acknowledgements arrive in the order of the log, each after the own copy', async () => {
  const { at, clients } = await inChannel('ann')
  const [ann] = clients
  const ids = Array.from({ length: 5 }, () => ann.send({ ...at, metadata: { ack: true } }))
  await arrived(5)
  slow.store()
  slow.tell()
  await ann.command('ping')
  expect(ann.frames.map(wordOf)).toEqual(ids.flatMap((id, i) => [`event ${id} ${i + 1}`, `success ${id}`]))
})

test('with echo=false an acknowledgement replaces the own copy, requested or not', async () => {
  const { at, address, clients } = await inChannel('bob')
  const [bob] = clients
  const ann = await bus.connect({ query: { client_id: `quiet-${rooms}`, join: address, echo: 'false' } })
  const ids: string[] = []
  for (const send of [() => ann.send(at), () => bob.send(at), () => ann.send({ ...at, metadata: { ack: true } })]) {
    ids.push(send())
    await arrived(ids.length)
  }
  await slow.settle()
  await ann.command('ping')
  expect(ann.frames.map(wordOf)).toEqual([`success ${ids[0]}`, `event ${ids[1]} 2`, `success ${ids[2]}`])
  expect((await bob.messages()).map(({ id }) => id)).toEqual(ids)
})

test('a command that names a channel sees earlier messages of its client, and later ones wait for it', async () => {
  const { at, clients } = await inChannel('ann')
  const [ann] = clients
  const before = await bus.metric('arqonbus_messages_received_total')
  const said = [ann.send(at), ann.send(at)]
  const history = ann.command('history', {}, at)
  const behind = ann.send(at)
  const ping = ann.command('ping')
  await eventually(async () => expect(await bus.metric('arqonbus_messages_received_total')).toBe(before + 5))
  expect(slow.waiting.arrivals).toBe(2)
  slow.store(1)
  slow.tell(1)
  // The first has its outcome, the second has not: the command still waits, and so does every later frame.
  expect([slow.waiting.arrivals, slow.waiting.answers]).toEqual([1, 0])
  slow.store()
  slow.tell()
  // Now the command has sent its request.
  expect(slow.waiting.arrivals).toBe(1)
  await slow.settle()
  expect((await history).messages.map(({ id }) => id)).toEqual(said)
  await ping
  await slow.settle()
  expect((await ann.messages()).map(({ id }) => id)).toEqual([...said, behind])
})

test('a ping does not wait for the log', async () => {
  const { at, clients } = await inChannel('ann')
  const [ann] = clients
  ann.send(at)
  await arrived(1)
  await ann.command('ping')
  expect(slow.waiting.arrivals).toBe(1)
})

test('frames of one client are handled in the order sent, however long each takes', async () => {
  const { at, clients } = await inChannel('ann', 'bob')
  const [ann, bob] = clients
  const address = `${at.room}:other`
  const first = ann.send({ ...at, channel: 'other' })
  const joined = ann.command('join_channel', { channel: address })
  const second = ann.send({ ...at, channel: 'other' })
  const left = ann.command('leave_channel', { channel: address })
  const third = ann.send({ ...at, channel: 'other' })
  const joinedAgain = bob.command('join_channel', { channel: address })
  await arrived(1)
  await joinedAgain
  slow.flow()
  expect([await joined, await left]).toMatchObject([{ position: expect.stringContaining('-1') }, { left: true }])
  expect((await bob.next(isMessage)).id).toBe(first)
  expect((await bob.next(isMessage)).id).toBe(second)
  expect((await bob.next(isMessage)).id).toBe(third)
  expect((await ann.messages()).map(({ id }) => id)).toEqual([second])
  slow.stop()
})

test('a message that the log refuses is not delivered and uses up no position', async () => {
  const { at, clients } = await inChannel('ann', 'bob')
  const [ann, bob] = clients
  slow.failNext('refused')
  // Awaited from the start: an unhandled rejection would end the test.
  const refused = refusal(ann.publish(at))
  const taken = ann.publish(at)
  await arrived(1)
  await slow.settle()
  expect((await refused).code).toBe('storage_unavailable')
  expect((await taken).position).toEndWith('-1')
  expect(await bob.messages()).toHaveLength(1)
})

test('an unknown outcome is reported, and the same id sent again settles it', async () => {
  const { at, clients } = await inChannel('ann', 'bob')
  const [ann, bob] = clients
  slow.failNext('unknown, not stored')
  const first = refusal(ann.publish({ ...at, id: 'arq_lost' }))
  await slow.until(({ outcomes }) => outcomes === 1)
  await slow.settle()
  expect((await first).code).toBe('outcome_unknown')
  const again = ann.publish({ ...at, id: 'arq_lost' })
  await arrived(1)
  await slow.settle()
  expect(await again).toMatchObject({ duplicate: false, position: expect.stringMatching(/-1$/) })
  expect((await bob.messages()).map(({ id }) => id)).toEqual(['arq_lost'])
})

test('a message whose outcome is unknown but which the log has is delivered once', async () => {
  const { at, clients } = await inChannel('ann', 'bob')
  const [ann, bob] = clients
  slow.failNext('unknown, stored')
  const first = refusal(ann.publish({ ...at, id: 'arq_there' }))
  await arrived(1)
  await slow.settle()
  expect((await first).code).toBe('outcome_unknown')
  expect((await bob.messages()).map(({ id }) => id)).toEqual(['arq_there'])
  const again = ann.publish({ ...at, id: 'arq_there' })
  await arrived(1)
  await slow.settle()
  expect(await again).toMatchObject({ duplicate: true, position: expect.stringMatching(/-1$/) })
  expect(await bob.messages()).toEqual([])
})

test('without `ack` only refusals get a reply', async () => {
  const { at, clients } = await inChannel('ann')
  const [ann] = clients
  slow.failNext('refused')
  const refused = ann.send(at)
  const taken = ann.send(at)
  await arrived(1)
  await slow.settle()
  await ann.command('ping')
  expect(ann.frames.map(wordOf)).toEqual([`error ${refused}`, `event ${taken} 1`])
})

test('messages of a client that has disconnected are still delivered', async () => {
  const { at, clients } = await inChannel('ann', 'bob')
  const [ann, bob] = clients
  const id = ann.send({ ...at, metadata: { ack: true } })
  await arrived(1)
  await ann.close()
  await slow.settle()
  expect((await bob.messages()).map((frame) => frame.id)).toEqual([id])
})

test('a message whose channel is deleted before the log accepts it is refused to its sender', async () => {
  const ann = await bus.as('deleter')
  await ann.command('create_channel', { channel: 'deleted:soon' })
  const bob = await bus.as('bob-deleted')
  const said = refusal(bob.publish({ room: 'deleted', channel: 'soon' }))
  await arrived(1)
  await ann.command('delete_channel', { channel: 'deleted:soon' })
  await slow.settle()
  expect((await said).code).toBe('channel_not_found')
})

test('the work in progress of one client is bounded: beyond that it is not read, and nothing is lost', async () => {
  const { at, clients } = await inChannel('ann', 'bob')
  const [ann, bob] = clients
  const COUNT = 4000
  const payload = { text: 'x'.repeat(1000) }
  for (let i = 0; i < COUNT; i++) ann.send({ ...at, payload: { ...payload, i } })
  await slow.until(({ arrivals }) => arrivals * 1200 > SEND_BUFFER_SOFT_LIMIT / 2)
  for (let i = 0; i < 20; i++) await bob.command('ping')
  expect(slow.waiting.arrivals * 1200).toBeLessThan(3 * SEND_BUFFER_SOFT_LIMIT)
  slow.flow()
  for (let i = 0; i < COUNT; i++) expect((await bob.next(isMessage)).payload.i).toBe(i)
  slow.stop()
})
