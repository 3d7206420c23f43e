/** Everything that a peer sends right before it closes its connection is handled: only the connection has ended. */
import { expect, setDefaultTimeout, test } from 'bun:test'
import { eventually, openRaw, startBus } from '@arqonbus/testing'

setDefaultTimeout(120_000)

const bus = await startBus({ rateLimit: null })
const COUNT = 4000
const numbers = Array.from({ length: COUNT }, (_, i) => i)

/** Sends frames in the same packets as the close frame after them. */
function sendAndClose(raw: Awaited<ReturnType<typeof openRaw>>, fields: object, payloadOf: (i: number) => object) {
  for (const i of numbers) {
    const envelope = { version: '1.0', id: `arq_${i}`, timestamp: '2026-01-01T00:00:00Z', ...fields }
    raw.frame({ payload: JSON.stringify({ ...envelope, payload: payloadOf(i) }) })
  }
  raw.frame({ kind: 'close', payload: new Uint8Array([0x03, 0xe8]) })
}

test('messages of a client that closes right after sending them are all delivered', async () => {
  const bob = await bus.as('bob', 'last:words')
  const raw = await openRaw(`${bus.busUrl}?client_id=ann`)
  await raw.nextJson()
  sendAndClose(raw, { type: 'event', room: 'last', channel: 'words', from: 'ann' }, (i) => ({ i }))
  for (const i of numbers) {
    const frame = await bob.next(({ type }) => type === 'event')
    expect(frame.payload).toEqual({ i })
  }
  // Then it disconnects.
  await eventually(async () => expect((await bob.command('list_clients')).clients.length).toBe(1))
})

test('telemetry of a subscriber that closes right after sending it is all delivered', async () => {
  const wall = await bus.listen({ client_events: '*' })
  const raw = await openRaw(`${bus.telemetryUrl!}?client_id=eve`)
  await raw.nextJson()
  const fields = { type: 'telemetry', room: 'integriguard', channel: 'telemetry-stream', from: 'eve' }
  sendAndClose(raw, fields, (i) => ({ eventType: 'noise', payload: { i } }))
  for (const i of numbers)
    expect((await wall.next(({ from }) => from === 'eve')).payload).toMatchObject({ payload: { i } })
})
