import { expect, test } from 'bun:test'
import { testClock } from '@arqonbus/testing'
import { createSendBuffers } from '../delivery/send-buffers.ts'
import { Account, Source } from '../limits/accounts.ts'
import { createMetrics } from '../observability/metrics.ts'
import type { Transport } from '../state/transport.ts'
import { TelemetryBroadcast } from './broadcast.ts'
import { createTelemetrySubscribers, type TelemetrySubscriber } from './subscribers.ts'

const account = new Account('ann', new Source('192.0.2.1'))

/** A broadcast to that many subscribers of one topic; `sent` is what each lane has been given. */
function setUp(count: number) {
  const subscribers = createTelemetrySubscribers()
  const sent: string[] = []
  const broadcast = new TelemetryBroadcast({
    subscribers,
    publish(topic: string, text: string) {
      sent.push(`${topic} ${text}`)
      return true
    },
    clock: testClock(),
    metrics: createMetrics(),
    buffers: createSendBuffers(1024 * 1024),
    bufferBytes: 1024,
    pingIntervalMs: 1000,
    pingTimeoutMs: 3000,
  } as unknown as ConstructorParameters<typeof TelemetryBroadcast>[0])
  for (let i = 0; i < count; i++) {
    const transport = { subscribe() {} } as Partial<Transport> as Transport
    const lane = subscribers.nextLane()
    broadcast.add({ id: `s${i}`, topics: new Set(['t']), lane, account, transport } as unknown as TelemetrySubscriber)
  }
  return { broadcast, sent }
}
const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve))

test('what is published counts as sent when the last lane has it, and what follows only after its own round', async () => {
  const { broadcast, sent } = setUp(30)
  const rounds: number[] = []
  const publish = (text: string) => {
    broadcast.publish(['t'], text)
    rounds.push(broadcast.round)
  }
  const areSent = () => rounds.map((round) => broadcast.isSent(round))
  expect(broadcast.isSent(broadcast.round)).toBe(true)
  publish('a')
  const seen: string[] = []
  while (!areSent().every(Boolean)) {
    // The second one comes while the first one is on its way.
    if (sent.length === 1 && rounds.length === 1) publish('b')
    const state = `${sent.length} ${areSent().join(' ')}`
    if (seen.at(-1) !== state) seen.push(state)
    await nextTurn()
  }
  expect(sent).toEqual(['0 t a', '1 t a', '2 t a', '0 t b', '1 t b', '2 t b'])
  expect(seen).toEqual([
    '0 false',
    '1 false false',
    '2 false false',
    '3 false false',
    '4 true false',
    '5 true false',
    '6 true false',
  ])
})

test('what nobody hears is sent at once', () => {
  const { broadcast } = setUp(1)
  expect(broadcast.publish(['other'], 'a')).toBe(0)
  expect(broadcast.isSent(broadcast.round)).toBe(true)
})
