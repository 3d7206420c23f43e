import { expect, test } from 'bun:test'
import type { attentionCodes } from '@arqonbus/protocol'
import { type AttentionReadings, AttentionWatch } from './attention.ts'

const calm: AttentionReadings = {
  isDraining: false,
  isStorageAway: false,
  awaySince: undefined,
  hasTelemetryFault: false,
  slowConsumers: 0,
  limits: [{ limit: 'rooms', used: 79, most: 100 }],
  refusals: [{ code: 'room_paused', count: 9 }],
  appendMs: 249,
  loopDelayMs: 249,
  processor: 0.89,
}
const codesOf = (changed: Partial<AttentionReadings>) =>
  new AttentionWatch().look({ ...calm, ...changed }, 0).map(({ code }) => code)

test('nothing needs a person while all readings are below their bounds', () => {
  expect(codesOf({})).toEqual([])
})

test('each condition needs a person from its bound on', () => {
  const cases: Readonly<Record<keyof typeof attentionCodes, Partial<AttentionReadings>>> = {
    storage_away: { isStorageAway: true },
    draining: { isDraining: true },
    limit_near: { limits: [{ limit: 'rooms', used: 80, most: 100 }] },
    event_loop_busy: { loopDelayMs: 250 },
    storage_slow: { appendMs: 250 },
    rate_limited: { refusals: [{ code: 'rate_limited', count: 10, client_id: 'ann' }] },
    refusals: { refusals: [{ code: 'room_paused', count: 10 }] },
    slow_consumers: { slowConsumers: 1 },
    telemetry_unavailable: { hasTelemetryFault: true },
  }
  for (const [code, changed] of Object.entries(cases)) expect(codesOf(changed)).toEqual([code as keyof typeof cases])
  expect(codesOf({ processor: 0.9 })).toEqual(['event_loop_busy'])
})

test('a full history and many kept sessions are usual', () => {
  expect(codesOf({ limits: ['history_bytes', 'sessions'].map((limit) => ({ limit, used: 100, most: 100 })) })).toEqual(
    [],
  )
})

test('the five most urgent are listed, in the order in which the codes are declared', () => {
  const everything: AttentionReadings = {
    isDraining: true,
    isStorageAway: true,
    awaySince: 5,
    hasTelemetryFault: true,
    slowConsumers: 3,
    limits: [{ limit: 'rooms', used: 99, most: 100 }],
    refusals: [{ code: 'rate_limited', count: 50, client_id: 'ann' }],
    appendMs: 400,
    loopDelayMs: 300,
    processor: 1,
  }
  expect(new AttentionWatch().look(everything, 1000)).toEqual([
    { code: 'storage_away', since: '1970-01-01T00:00:00.005Z', count: 1 },
    { code: 'draining', since: '1970-01-01T00:00:01.000Z', count: 1 },
    { code: 'limit_near', subject: 'rooms', since: '1970-01-01T00:00:01.000Z', count: 99 },
    { code: 'event_loop_busy', since: '1970-01-01T00:00:01.000Z', count: 300 },
    { code: 'storage_slow', since: '1970-01-01T00:00:01.000Z', count: 400 },
  ])
})

test('a condition holds since the look that saw it first, and begins anew after it was over', () => {
  const watch = new AttentionWatch()
  const since = (slowConsumers: number, now: number) =>
    watch.look({ ...calm, slowConsumers }, now).map((one) => Date.parse(one.since))
  expect([since(1, 1000), since(5, 2000), since(0, 3000), since(2, 4000)]).toEqual([[1000], [1000], [], [4000]])
})
