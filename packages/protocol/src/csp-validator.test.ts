import { expect, test } from 'bun:test'
import type { TSchema } from 'typebox'
import { invalidEnvelopes, textOf, validEnvelopes } from '../test/vectors.ts'
import { createCheck, type JsonSchema } from './csp-validator.ts'
import { type CommandShape, commands, Envelope, TelemetryEvent } from './index.ts'
import { compile } from './schema.ts'

const asJson = (schema: TSchema): JsonSchema => JSON.parse(JSON.stringify(schema))

/** Runs both checkers on one value: they must agree on the verdict, and on the text of the fault. */
function both(schema: TSchema, value: unknown) {
  return { byReading: createCheck(asJson(schema))(value), byCode: compile(schema)(value) }
}

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

test('the checker judges every envelope of the vectors like the bus, in the same words', () => {
  let refused = 0
  for (const { name, frame } of [...validEnvelopes, ...invalidEnvelopes]) {
    const value = parsed(textOf(frame))
    if (value === undefined) continue
    const { byReading, byCode } = both(Envelope, value)
    expect([name, byReading === undefined]).toEqual([name, byCode === undefined])
    // Which of two faults is reported first is unspecified; the text for one place is not.
    if (byReading?.path === byCode?.path) expect([name, byReading]).toEqual([name, byCode])
    if (byCode !== undefined) refused += 1
  }
  expect(refused).toBeGreaterThan(50)
})

test('the checker judges the parameters of every command like the bus', () => {
  const values: unknown[] = [
    {},
    null,
    [],
    { admin_key: 'x'.repeat(1024) },
    { admin_key: 'x'.repeat(1025) },
    { admin_key: 'é😀'.repeat(512) },
    { unknown: 1 },
    { room: 'a', channel: 'b' },
    { room: 'a:b' },
    { channel: 'a:*' },
    { channel: 'a:b:c' },
    { limit: 0 },
    { limit: 1000 },
    { limit: 1001 },
    { limit: 1.5 },
    { limit: '1' },
    { order: 'up' },
    { after: '1-1' },
    { after: 'x' },
    { since: '5-1' },
    { since: { general: '5-1' } },
    { since: { 'gen eral': '5-1' } },
    { since: { general: 'later' } },
    { channels: [] },
    { channels: [{ channel: 'a:b', since: '5-1' }] },
    { channels: [{ channel: 'a:b', more: 1 }] },
    { channels: Array.from({ length: 101 }, () => ({ channel: 'a:b' })) },
    { screen_name: null },
    { screen_name: 'a\u0000b' },
    { client_id: 'ada', reason: 'x'.repeat(101) },
    { client_id: '' },
    { options: { history_size: -1 } },
    { options: { durability: 'disk', max_participants: 1 } },
    { options: { other: 1 } },
    { type: 'system' },
    { metadata: [] },
  ]
  let refused = 0
  for (const { name, parameters } of Object.values<CommandShape>(commands)) {
    for (const value of values) {
      const { byReading, byCode } = both(parameters, value)
      expect([name, value, byReading]).toEqual([name, value, byCode])
      if (byCode !== undefined) refused += 1
    }
  }
  expect(refused).toBeGreaterThan(100)
})

test('the checker judges telemetry events like the bus', () => {
  for (const value of [{ eventType: 'x', payload: {} }, { eventType: '', payload: {} }, { eventType: 'x' }, 1]) {
    const { byReading, byCode } = both(TelemetryEvent, value)
    expect([value, byReading]).toEqual([value, byCode])
  }
})

test('keywords that the protocol does not use yet are checked too', () => {
  expect(createCheck({ type: 'object', minProperties: 1 })({})).toMatchObject({ path: '' })
  expect(createCheck({ type: 'object', minProperties: 1 })({ a: 1 })).toBeUndefined()
})

test('the checker generates no code and works where `Function` cannot be used', () => {
  expect(String(createCheck)).not.toContain('Function')
  const { Function: kept } = globalThis
  try {
    globalThis.Function = (() => {
      throw new EvalError('refused by the policy of the page')
    }) as unknown as FunctionConstructor
    expect(createCheck(asJson(Envelope))({})).toMatchObject({ expected: 'to be present' })
  } finally {
    globalThis.Function = kept
  }
})
