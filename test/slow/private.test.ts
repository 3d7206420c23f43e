/** Private messages through slow logs: acknowledged once all logs have them, and refused only if none has. */
import { afterAll, afterEach, expect, test } from 'bun:test'
import { createSlowLog, type Publish, refusal, startBus, type TestClient } from '@arqonbus/testing'

const slow = createSlowLog({ recent: 4 })
const bus = await startBus({}, { log: slow.forBus })
afterEach(() => slow.settle())
afterAll(() => slow.flow())

let count = 0
/** Ann, Bob and Cyd, with their inboxes. */
const three = () =>
  Promise.all(['ann', 'bob', 'cyd'].map((id) => bus.as(`${id}-${++count}`))) as Promise<
    [TestClient, TestClient, TestClient]
  >
const to = (...clients: TestClient[]): Publish => ({
  type: 'private',
  channel: 'pm',
  metadata: { to: clients.map(({ id }) => id) },
})
const arrived = (arrivals: number) => slow.until((waiting) => waiting.arrivals === arrivals)
const idsOf = async (client: TestClient) => (await client.messages()).map(({ id }) => id)

test('a private message goes into the sender’s inbox first and is acknowledged when all inboxes have it', async () => {
  const [ann, bob, cyd] = await three()
  const id = ann.send({ ...to(bob, cyd), metadata: { ...to(bob, cyd).metadata, ack: true } })
  await arrived(1)
  slow.store()
  slow.tell()
  expect(slow.waiting.arrivals).toBe(2)
  expect([await idsOf(ann), await idsOf(bob), await idsOf(cyd)]).toEqual([[id], [], []])
  slow.store(1)
  slow.tell()
  expect([await idsOf(bob), await idsOf(cyd)]).toEqual([[id], []])
  expect(ann.frames).toEqual([])
  slow.store()
  slow.tell()
  expect(await ann.answer(id)).toMatchObject({
    status: 'success',
    result: { position: expect.stringMatching(/-1$/), recipients: 3 },
  })
  expect(await idsOf(cyd)).toEqual([id])
})

test('private messages of one sender reach each recipient in the order sent', async () => {
  const [ann, bob, cyd] = await three()
  const ids = [to(bob), to(bob, cyd), to(cyd), to(bob)].map((message) => ann.send(message))
  await arrived(4)
  await slow.settle()
  expect(await idsOf(bob)).toEqual([ids[0]!, ids[1]!, ids[3]!])
  expect(await idsOf(cyd)).toEqual([ids[1]!, ids[2]!])
})

test('a private message that the sender’s inbox refuses is not delivered', async () => {
  const [ann, bob] = await three()
  slow.failNext('refused')
  const sent = refusal(ann.publish(to(bob)))
  await slow.until(({ outcomes }) => outcomes === 1)
  await slow.settle()
  expect((await sent).code).toBe('storage_unavailable')
  expect([await idsOf(ann), await idsOf(bob)]).toEqual([[], []])
})

test('a private message stored in only some inboxes has an unknown outcome, and the same id completes it', async () => {
  const [ann, bob, cyd] = await three()
  const message = { ...to(bob, cyd), id: 'arq_partial' }
  const sent = refusal(ann.publish(message))
  await arrived(1)
  slow.failNext('refused')
  await slow.settle()
  expect((await sent).code).toBe('outcome_unknown')
  expect([await idsOf(bob), await idsOf(cyd)]).toEqual([[], ['arq_partial']])
  const again = ann.publish(message)
  await arrived(1)
  await slow.settle()
  expect(await again).toMatchObject({ duplicate: true, position: expect.stringMatching(/-1$/) })
  expect([await idsOf(bob), await idsOf(cyd)]).toEqual([['arq_partial'], []])
})

test('a private message with an id of another message is not delivered, with any recipients', async () => {
  const [ann, bob, cyd] = await three()
  slow.flow()
  await ann.publish({ ...to(bob), id: 'arq_used', payload: { a: 1 } })
  expect((await refusal(ann.publish({ ...to(cyd), id: 'arq_used', payload: { a: 2 } }))).code).toBe('id_conflict')
  expect([await idsOf(bob), await idsOf(cyd)]).toEqual([['arq_used'], []])
  slow.stop()
})

test('with echo=false the sender of a private message gets its own copy if the acknowledgement waits for others', async () => {
  const [, bob] = await three()
  const ann = await bus.connect({ query: { client_id: `quiet-${++count}`, echo: 'false' } })
  const first = ann.send(to(bob))
  await arrived(1)
  slow.store()
  slow.tell()
  expect(await idsOf(ann)).toEqual([first])
  expect(ann.frames).toEqual([])
  await slow.settle()
  expect(await ann.answer(first)).toMatchObject({ status: 'success' })
})

test('a command that names a channel waits until all inboxes have the messages sent before it', async () => {
  const [ann, bob] = await three()
  const id = ann.send(to(bob))
  const history = ann.command('history', { channel: 'arqonbus:inbox' })
  await arrived(1)
  slow.store()
  slow.tell()
  // Bob's inbox has not stored it yet.
  expect(slow.waiting).toMatchObject({ arrivals: 1, outcomes: 0 })
  slow.store()
  slow.tell()
  await arrived(1)
  await slow.settle()
  expect((await history).messages.map((message) => message.id)).toEqual([id])
})
