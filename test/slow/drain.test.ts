/**
 * The drain of a bus with a slow log: requests in progress are finished, within the timeout
 * (docs/protocol.md#heartbeat-and-shutdown).
 */
import { expect, test } from 'bun:test'
import { createSlowLog, isMessage, refusal, startBus, type TestClient } from '@arqonbus/testing'

const AT = { room: 'science', channel: 'general' }
async function start(drainTimeoutMs: number) {
  const slow = createSlowLog({ recent: 0 })
  const bus = await startBus({ drainTimeoutMs }, { log: slow.forBus })
  const [ann, bob] = [await bus.as('ann', 'science:general'), await bus.as('bob', 'science:general')]
  return { slow, bus, ann, bob }
}
const isNotice = (frame: { payload: object }) => (frame.payload as { event?: string }).event === 'shutdown'
const closeCode = async (client: TestClient) => (await client.closed).code

test('a drain delivers and acknowledges a message in progress before it closes any connection', async () => {
  const { slow, bus, ann, bob } = await start(10_000)
  const published = ann.publish(AT)
  await slow.until(({ arrivals }) => arrivals === 1)
  const drained = bus.drain('test')
  await Promise.all([ann.next(isNotice), bob.next(isNotice)])
  await slow.settle()
  expect(await published).toMatchObject({ duplicate: false })
  await drained
  expect(bob.frames.filter(isMessage)).toHaveLength(1)
  expect(await Promise.all([ann, bob].map(closeCode))).toEqual([1012, 1012])
})

test('a drain refuses requests after its notice, so that clients can send them elsewhere', async () => {
  const { slow, bus, ann, bob } = await start(10_000)
  const published = ann.publish(AT)
  await slow.until(({ arrivals }) => arrivals === 1)
  const drained = bus.drain('test')
  await bob.next(isNotice)
  expect((await refusal(bob.publish(AT))).code).toBe('shutting_down')
  expect((await refusal(bob.command('history', {}, AT))).code).toBe('shutting_down')
  await slow.settle()
  await published
  await drained
})

test('a drain delivers what a subscriber missed before it closes the connection', async () => {
  const { slow, bus, ann } = await start(10_000)
  slow.flow()
  const { position } = await ann.publish(AT)
  await ann.publish(AT)
  const cyd = await bus.as('cyd')
  slow.stop()
  const joined = cyd.command('join_channel', { channel: 'science:general', since: position! })
  await slow.until(({ arrivals }) => arrivals === 1)
  slow.store()
  slow.answer()
  await joined
  await slow.until(({ arrivals }) => arrivals === 1)
  const drained = bus.drain('test')
  await cyd.next(isNotice)
  await slow.settle()
  await drained
  expect(await closeCode(cyd)).toBe(1012)
  expect(cyd.frames.filter(isMessage)).toHaveLength(1)
})

test('a drain ends at its timeout even if the log never replies', async () => {
  const { slow, bus, ann } = await start(200)
  ann.send({ ...AT, metadata: { ack: true } })
  await slow.until(({ arrivals }) => arrivals === 1)
  await bus.drain('test')
  expect(await closeCode(ann)).toBe(1012)
  expect(slow.waiting.arrivals).toBe(1)
})
