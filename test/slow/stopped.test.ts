/**
 * Readers that stop: the data that waits for all of them together is bounded, and clients that read receive everything
 * meanwhile (docs/protocol.md#limits).
 */
import { afterEach, beforeEach, expect, test } from 'bun:test'
import { eventually, openRaw, type RawSocket, startBus, type TestBus } from '@arqonbus/testing'

const KiB = 1024
const MiB = 1024 * KiB
const TOTAL = 16 * MiB
const READERS = 50
let bus: TestBus
beforeEach(async () => {
  bus = await startBus({
    rateLimit: null,
    commandRate: null,
    sendBufferTotal: TOTAL,
    socketSendBytes: 32 * KiB,
    // A ping adds two waiting bytes.
    pingIntervalMs: 86_400_000,
    pingTimeoutMs: 2 * 86_400_000,
  })
})
const raws: RawSocket[] = []
afterEach(() => {
  for (const raw of raws.splice(0)) raw.destroy()
})

let count = 0
/** A connection with this join that can stop reading. */
async function reader(join?: string) {
  const id = `reader-${++count}`
  const raw = await openRaw(`${bus.busUrl}?client_id=${id}${join === undefined ? '' : `&join=${join}`}`)
  raws.push(raw)
  await raw.nextJson()
  return { id, raw }
}
const behind = () => bus.metric('arqonbus_connections_catching_up')
const queued = () => bus.metric('arqonbus_send_queue_bytes')
const limited = () => bus.metric('arqonbus_limits_hit_total{limit="send_buffer_bytes"}')
const range = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, i) => first + i)

test('many stopped readers leave the live stream early, are sent no more, and miss nothing when they read again', async () => {
  const stopped = await Promise.all(Array.from({ length: READERS }, () => reader('crowd:talk')))
  const [healthy, ann] = [await bus.as('healthy', 'crowd:talk'), await bus.as('ann')]
  for (const { raw } of stopped) raw.pause()
  let sent = 0
  let most = 0
  const send = async () => {
    for (let i = 0; i < 5; i++) {
      ann.send({ room: 'crowd', channel: 'talk', payload: { i: ++sent, text: 'x'.repeat(8 * KiB) } })
    }
    await ann.command('ping')
    most = Math.max(most, await queued())
  }
  while ((await behind()) < READERS) await send()
  // Alone, each might have 512 KiB waiting, which is 25 MiB for all.
  expect(most).toBeLessThan(TOTAL)
  const atRest = await queued()
  for (let i = 0; i < 10; i++) await send()
  // 20 MiB were published meanwhile. A system with larger buffers takes a little more.
  expect(await queued()).toBeLessThan(atRest + 2 * MiB)
  expect((await healthy.messages()).map(({ payload }) => payload.i as number)).toEqual(range(1, sent))
  for (const { raw } of stopped) raw.resume()
  for (const { raw } of stopped) {
    const got: number[] = []
    while (got.length < sent) got.push((await raw.nextJson()).payload.i as number)
    expect(got).toEqual(range(1, sent))
  }
  await eventually(async () => expect(await behind()).toBe(0))
  expect(await limited()).toBe(0)
})

test('messages that slow consumers lack are kept for them beyond the history size of the channel', async () => {
  const { raw } = await reader('brief:*')
  const ann = await bus.as('ann-brief')
  await ann.command('create_channel', { channel: 'brief:talk', options: { history_size: 1 } })
  raw.pause()
  let sent = 0
  const send = async () => {
    for (let i = 0; i < 10; i++)
      ann.send({ room: 'brief', channel: 'talk', payload: { i: ++sent, text: 'x'.repeat(2 * KiB) } })
    await ann.command('ping')
  }
  while ((await behind()) === 0) await send()
  for (let i = 0; i < 10; i++) await send()
  raw.resume()
  const got: number[] = []
  while (got.length < sent) got.push((await raw.nextJson()).payload.i as number)
  expect(got).toEqual(range(1, sent))
})

test('above the total bound connections with large send buffers are closed with 4429, and no others', async () => {
  const healthy = await bus.as('healthy-too')
  // Replies do not depend on a subscription: they fill the buffers of clients that send commands and do not read.
  const greedy = await Promise.all(Array.from({ length: 50 }, () => reader()))
  const ann = await bus.as('ann-long')
  await ann.command('create_channel', { channel: 'long:talk' })
  for (let i = 0; i < 4; i++)
    await ann.publish({ room: 'long', channel: 'talk', payload: { text: 'x'.repeat(60 * KiB) } })
  const before = await limited()
  for (const { raw, id } of greedy) {
    raw.pause()
    for (let i = 0; i < 20; i++) {
      const payload = JSON.stringify({ name: 'history', parameters: { channel: 'long:talk' } })
      raw.frame({
        payload: `{"version":"1.0","id":"arq_q${++count}","type":"command","room":"arqonbus","channel":"control","from":"${id}","timestamp":"2026-01-01T00:00:00Z","payload":${payload}}`,
      })
    }
  }
  await eventually(async () => expect(await limited()).toBeGreaterThan(before))
  await eventually(async () => expect(await queued()).toBeLessThan(TOTAL))
  for (const { raw } of greedy) raw.resume()
  const closed = (await limited()) - before
  const codes: (number | undefined)[] = []
  for (const { raw } of greedy) void raw.ended.then(({ code }) => codes.push(code))
  await eventually(() => expect(codes.length).toBeGreaterThanOrEqual(closed))
  expect(codes.every((code) => code === 4429 || code === undefined)).toBe(true)
  await healthy.command('ping')
})
