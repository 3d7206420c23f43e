import { expect, test } from 'bun:test'
import { type BusEventType, TELEMETRY_TICK_MS, telemetryEvents } from '@arqonbus/protocol'
import { createAggregates } from './aggregate.ts'
import { createEmitter, type EmittedEvent } from './emitter.ts'

function setUp() {
  const emitted: EmittedEvent[] = []
  const timers: (() => void)[] = []
  const delays: number[] = []
  let summed = 0
  const emitter = createEmitter({
    emit: (event) => emitted.push(event),
    summed: (count) => {
      summed += count
    },
    later: (ms, task) => {
      delays.push(ms)
      timers.push(task)
    },
  })
  return { emitter, emitted, timers, delays, summed: () => summed }
}
const client = (id: number) => ({ client_id: `c${id}`, client_type: 'human', resumed: false }) as const

test('events wait in order for the end of the tick, and there is a timer only while any wait', () => {
  const { emitter, emitted, timers, delays } = setUp()
  expect(timers).toHaveLength(0)
  emitter.add('client_connected', client(1))
  emitter.add('channel_deleted', { room: 'a', channel: 'b' })
  expect([emitted.length, timers.length]).toEqual([0, 1])
  timers.shift()!()
  expect(emitted.map(({ eventType }) => eventType)).toEqual(['client_connected', 'channel_deleted'])
  expect(timers).toHaveLength(0)
  emitter.add('client_connected', client(2))
  expect(timers).toHaveLength(1)
  expect(delays).toEqual([TELEMETRY_TICK_MS, TELEMETRY_TICK_MS])
})

test('an event type over its budget ends in one summary and affects no other type', () => {
  const { emitter, emitted, timers, summed } = setUp()
  const { budget } = telemetryEvents.client_connected
  for (let i = 0; i < budget + 7; i++) emitter.add('client_connected', client(i))
  emitter.add('channel_deleted', { room: 'a', channel: 'b' })
  timers.shift()!()
  expect(emitted).toHaveLength(budget + 2)
  expect(emitted.at(-1)).toEqual({
    about: 'client_connected',
    eventType: 'telemetry_summary',
    payload: { event_type: 'client_connected', count: 7 },
  })
  expect(summed()).toBe(7)
  // The next tick begins anew.
  emitter.add('client_connected', client(0))
  timers.shift()!()
  expect(emitted.at(-1)).toMatchObject({ eventType: 'client_connected' })
})

test('events flushed early, as before a shutdown, are not emitted again by the timer', () => {
  const { emitter, emitted, timers } = setUp()
  emitter.add('client_connected', client(1))
  emitter.flush()
  timers.shift()!()
  expect(emitted).toHaveLength(1)
})

test('aggregates count until their tick, and everything over the budget is in the summary', () => {
  const { emitter, emitted, timers } = setUp()
  const count = createAggregates('message_routed', emitter)
  const { budget } = telemetryEvents.message_routed
  const keys = Array.from({ length: budget + 3 }, () => ({}))
  for (let times = 0; times < 4; times++)
    for (const [i, key] of keys.entries()) count(key, () => ({ room: 'r', channel: `c${i}`, count: 1 }))
  timers.shift()!()
  expect(emitted.slice(0, budget).map(({ payload }) => (payload as { count: number }).count)).toEqual(
    Array.from({ length: budget }, () => 4),
  )
  expect(emitted.at(-1)!.payload).toEqual({ event_type: 'message_routed' satisfies BusEventType, count: 12 })
  count(keys[0], () => ({ room: 'r', channel: 'c0', count: 1 }))
  timers.shift()!()
  expect(emitted.at(-1)!.payload).toEqual({ room: 'r', channel: 'c0', count: 1 })
})
