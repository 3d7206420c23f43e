import { expect, test } from 'bun:test'
import { samplers } from '../../config/index.ts'
import { createDraw, lastWordOf, newSpanId, newTraceId } from './ids.ts'
import { createSample } from './sampler.ts'

const parent = (isSampled: boolean) => ({ traceId: `${'1'.repeat(24)}80000000`, spanId: '2'.repeat(16), isSampled })

/** For each sampler: without a parent, with one that is sampled, with one that is not; by a share of one half. */
const decisions: Record<(typeof samplers)[number], readonly [boolean, boolean, boolean]> = {
  always_on: [true, true, true],
  always_off: [false, false, false],
  traceidratio: [true, false, false],
  parentbased_always_on: [true, true, false],
  parentbased_always_off: [false, true, false],
  parentbased_traceidratio: [true, true, false],
}

test.each([...samplers])('the sampler %s decides as the OpenTelemetry specification defines', (sampler) => {
  const sample = createSample(sampler, 0.5)
  const low = 0x7fffffff
  const high = lastWordOf(parent(true).traceId)
  expect([sample(undefined, low), sample(parent(true), high), sample(parent(false), high)]).toEqual([
    ...decisions[sampler],
  ])
})

test('ratio sampling depends on the trace id, and a larger ratio includes a smaller one', () => {
  const shares = [0, 1e-9, 0.1, 0.5, 0.999, 1]
  const words = [0, 1, 0x19999999, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff]
  const taken = shares.map((share) => words.filter((word) => createSample('traceidratio', share)(undefined, word)))
  expect(taken.map((one) => one.length)).toEqual([0, 2, 3, 4, 5, 7])
})

test('a trace id ends with its sampling value, and no id is ever all zeros', () => {
  const zeros = createDraw((words) => words.fill(0))
  expect([newTraceId(zeros, 0), newSpanId(zeros)]).toEqual([`00000001${'0'.repeat(24)}`, `00000001${'0'.repeat(8)}`])
  const draw = createDraw()
  const ids = Array.from({ length: 5000 }, () => newTraceId(draw, 0xdeadbeef))
  for (const id of ids) expect([id.length, lastWordOf(id)]).toEqual([32, 0xdeadbeef])
  expect(new Set(ids).size).toBe(ids.length)
})
