/** A client that returns far behind: it receives everything, in bounded memory, while other clients continue. */
import { expect, test } from 'bun:test'
import { startBus } from '@arqonbus/testing'

const BEHIND = 100_000
const MORE = 2000
const KiB = 1024
const bus = await startBus({
  rateLimit: null,
  historySize: BEHIND + 10_000,
  historyBytes: 1 << 30,
  sendBufferSoftLimit: 256 * KiB,
})

test('a client 100,000 messages behind gets all of them once and in order while publishing continues', async () => {
  const ann = await bus.as('ann')
  const say = (i: number) =>
    ann.raw(
      `{"version":"1.0","id":"arq_${i}","type":"event","room":"far","channel":"talk","from":"ann","timestamp":"2026-01-01T00:00:00Z","payload":{"i":${i}}}`,
    )
  const first = await ann.publish({ room: 'far', channel: 'talk' })
  for (let i = 2; i <= BEHIND; i++) say(i)
  await ann.command('ping')

  const bob = await bus.as('bob')
  /** The numbers are checked as they arrive: a hundred thousand envelopes are not kept. */
  let expected = 2
  let wrong: string | undefined
  let hasAll = () => {}
  const all = new Promise<void>((resolve) => {
    hasAll = resolve
  })
  const look = ({ data }: MessageEvent) => {
    const n = Number(/"position":"\d+-(\d+)"}}$/.exec(String(data))?.[1])
    if (Number.isNaN(n)) return
    if (n !== expected) wrong ??= `${n} came, not ${expected}`
    expected = n + 1
    bob.frames.length = 0
    if (n === BEHIND + MORE) hasAll()
  }
  bob.socket.addEventListener('message', look)
  bob.send({
    type: 'command',
    payload: { name: 'join_channel', parameters: { channel: 'far:talk', since: first.position } },
  })
  // Other clients publish and are served while he catches up: at once he is only sent what fits into his buffer.
  let mostQueued = 0
  let mostAtOnce = 0
  for (let i = 1; i <= MORE; i++) {
    say(BEHIND + i)
    if (i % 100 !== 0) continue
    const before = expected
    await ann.command('ping')
    mostAtOnce = Math.max(mostAtOnce, expected - before)
    mostQueued = Math.max(mostQueued, await bus.metric('arqonbus_send_queue_bytes'))
  }
  await all
  bob.socket.removeEventListener('message', look)
  expect(wrong).toBeUndefined()
  expect(mostQueued).toBeLessThan(512 * KiB)
  expect(mostAtOnce).toBeLessThan(BEHIND / 4)
  expect(await bus.metric('arqonbus_connections_catching_up')).toBe(0)
  const { position } = await ann.publish({ room: 'far', channel: 'talk' })
  expect((await bob.messages()).map((frame) => frame.metadata?.position)).toEqual([position!])
}, 120_000)
