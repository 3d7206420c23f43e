import { expect, test } from 'bun:test'
import { type BusEventPayload, TELEMETRY_TICK_MS } from '@arqonbus/protocol'
import { createEmitter, type EmittedEvent } from './emitter.ts'

/** An emitter of ten events a tick, with a timer that fires when `tick` is called. */
function setUp({ telemetryMaxWaiting = 1000 } = {}) {
  const emitted: EmittedEvent[] = []
  const timers: (() => void)[] = []
  const delays: number[] = []
  const summed: string[] = []
  const way = { isBusy: false }
  const emitter = createEmitter({
    emit: (event) => emitted.push(event),
    isSending: () => way.isBusy,
    summed: (count, reason) => {
      summed.push(`${count} ${reason}`)
    },
    later: (ms, task) => {
      delays.push(ms)
      timers.push(task)
    },
    telemetryEventsPerSecond: 100,
    telemetryMaxWaiting,
  })
  /** Fires the timer; returns what is emitted by it. */
  const tick = () => {
    const from = emitted.length
    timers.shift()!()
    return emitted.slice(from)
  }
  return { emitter, emitted, timers, delays, tick, way, summed }
}
const client = (id: number) => ({ client_id: `c${id}`, client_type: 'human', resumed: false }) as const
const routed = (channel: string): BusEventPayload<'message_routed'> => ({ room: 'r', channel, count: 1 })
const idsOf = (events: readonly EmittedEvent[]) =>
  events.map(({ payload }) => (payload as { client_id: string }).client_id)
const countsOf = (events: readonly EmittedEvent[]) => events.map(({ payload }) => (payload as { count: number }).count)

test('events wait in order for the end of the tick, and there is a timer only while any wait', () => {
  const { emitter, emitted, timers, delays, tick } = setUp()
  expect(timers).toHaveLength(0)
  emitter.add('client_connected', client(1))
  emitter.add('channel_deleted', { room: 'a', channel: 'b' })
  expect([emitted.length, timers.length, emitter.waiting()]).toEqual([0, 1, 2])
  expect(tick().map(({ eventType }) => eventType)).toEqual(['client_connected', 'channel_deleted'])
  expect([timers.length, emitter.waiting()]).toEqual([0, 0])
  emitter.add('client_connected', client(2))
  expect(timers).toHaveLength(1)
  expect(delays).toEqual([TELEMETRY_TICK_MS, TELEMETRY_TICK_MS])
})

test('events that do not fit into a tick are sent in the next ones, in the order in which they happened', () => {
  const { emitter, timers, tick, summed } = setUp()
  for (let id = 0; id < 25; id++) emitter.add('client_connected', client(id))
  emitter.add('channel_deleted', { room: 'a', channel: 'b' })
  expect(idsOf(tick())).toEqual(Array.from({ length: 10 }, (_, i) => `c${i}`))
  // What happens now goes behind what waits.
  emitter.add('client_connected', client(25))
  expect(idsOf(tick())).toEqual(Array.from({ length: 10 }, (_, i) => `c${10 + i}`))
  const last = tick()
  expect(last.map(({ eventType }) => eventType).slice(-2)).toEqual(['channel_deleted', 'client_connected'])
  expect(last).toHaveLength(7)
  expect(timers).toEqual([])
  expect(summed).toEqual([])
})

test('an event that waits counts its repetitions until it is sent, and the next one begins anew', () => {
  const { emitter, tick } = setUp()
  const keys = Array.from({ length: 12 }, () => ({}))
  const count = () => {
    for (const [i, key] of keys.entries()) emitter.count('message_routed', key, () => routed(`c${i}`))
  }
  for (let times = 0; times < 4; times++) count()
  expect(countsOf(tick())).toEqual(Array(10).fill(4))
  count()
  // The two that had to wait have counted on; the others are new.
  expect(countsOf(tick())).toEqual([5, 5, ...Array(8).fill(1)])
  expect(countsOf(tick())).toEqual([1, 1])
})

test('while the events of a tick are on their way to subscribers, others wait and count on', () => {
  const { emitter, timers, tick, way } = setUp()
  const count = () => emitter.count('message_routed', 'a', () => routed('a'))
  way.isBusy = true
  count()
  expect(tick()).toEqual([])
  count()
  expect(tick()).toEqual([])
  way.isBusy = false
  expect(countsOf(tick())).toEqual([2])
  expect(timers).toHaveLength(0)
})

test('types that count do not share their keys', () => {
  const { emitter, tick } = setUp()
  emitter.count('message_routed', 'a', () => routed('x'))
  emitter.count('rate_limited', 'a', () => ({ client_id: 'a', count: 1 }))
  expect(countsOf(tick())).toEqual([1, 1])
})

test('of a type of which as many wait as may, the rest is one summary that says why, and no other type is affected', () => {
  const { emitter, tick, summed } = setUp({ telemetryMaxWaiting: 5 })
  for (let id = 0; id < 8; id++) emitter.add('client_connected', client(id))
  for (const channel of ['a', 'b', 'c', 'd', 'e', 'f', 'f', 'a'])
    emitter.count('message_routed', channel, () => routed(channel))
  expect(emitter.waiting()).toBe(10)
  const first = tick()
  expect(idsOf(first.slice(0, 5))).toEqual(['c0', 'c1', 'c2', 'c3', 'c4'])
  expect(countsOf(first.slice(5, 10))).toEqual([2, 1, 1, 1, 1])
  expect(first.slice(10)).toEqual([
    {
      about: 'client_connected',
      eventType: 'telemetry_summary',
      payload: { event_type: 'client_connected', count: 3, reason: 'queue_full' },
    },
    {
      about: 'message_routed',
      eventType: 'telemetry_summary',
      payload: { event_type: 'message_routed', count: 2, reason: 'queue_full' },
    },
  ])
  expect(summed).toEqual(['3 queue_full', '2 queue_full'])
  // There is space again.
  emitter.add('client_connected', client(9))
  expect(idsOf(tick())).toEqual(['c9'])
})

test('events flushed early, as before a shutdown, are not emitted again by the timer', () => {
  const { emitter, emitted, timers, tick } = setUp()
  for (let id = 0; id < 30; id++) emitter.add('client_connected', client(id))
  emitter.flush()
  expect(emitted).toHaveLength(30)
  expect(tick()).toEqual([])
  expect(timers).toHaveLength(0)
})

test('a flush sends the events of a second, and of the others their numbers', () => {
  const { emitter, emitted, summed } = setUp()
  for (let id = 0; id < 110; id++) emitter.add('client_connected', client(id))
  for (let times = 0; times < 4; times++) emitter.count('message_routed', 'a', () => routed('a'))
  emitter.flush()
  expect(idsOf(emitted.slice(0, 100))).toEqual(Array.from({ length: 100 }, (_, i) => `c${i}`))
  expect(emitted.slice(100).map(({ payload }) => payload)).toEqual([
    { event_type: 'client_connected', count: 10, reason: 'shutdown' },
    { event_type: 'message_routed', count: 4, reason: 'shutdown' },
  ])
  expect(summed).toEqual(['10 shutdown', '4 shutdown'])
  expect(emitter.waiting()).toBe(0)
})
