import { expect, test } from 'bun:test'
import { readTraceparent } from './traceparent.ts'

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
const spanId = '00f067aa0ba902b7'

test.each([
  ['sampled', `00-${traceId}-${spanId}-01`, true],
  ['not sampled', `00-${traceId}-${spanId}-00`, false],
  ['sampled, with flags of later levels', `00-${traceId}-${spanId}-03`, true],
  ['not sampled, with flags of later levels', `00-${traceId}-${spanId}-fe`, false],
  ['of a later version', `01-${traceId}-${spanId}-01`, true],
  ['of a later version, with more after it', `cc-${traceId}-${spanId}-01-what.the-future=holds`, true],
  ['of a later version, with nothing after its dash', `fe-${traceId}-${spanId}-00-`, false],
])('a valid traceparent is read: %s', (_, text, isSampled) => {
  expect(readTraceparent(text)).toEqual({ traceId, spanId, isSampled })
})

test.each([
  ['empty', ''],
  ['something else', 'hello'],
  ['without flags', `00-${traceId}-${spanId}`],
  ['with half of the flags', `00-${traceId}-${spanId}-0`],
  ['with flags that are too long', `00-${traceId}-${spanId}-011`],
  ['of version 00 with more after it', `00-${traceId}-${spanId}-01-00`],
  ['of version 00 with a dash after it', `00-${traceId}-${spanId}-01-`],
  ['of version ff', `ff-${traceId}-${spanId}-01`],
  ['without a version', `${traceId}-${spanId}-01`],
  ['of a later version that continues without a dash', `01-${traceId}-${spanId}-01.more`],
  ['with a trace id of zeros', `00-${'0'.repeat(32)}-${spanId}-01`],
  ['with a parent id of zeros', `00-${traceId}-${'0'.repeat(16)}-01`],
  ['with a trace id that is too short', `00-${traceId.slice(1)}-${spanId}-01`],
  ['with a trace id that is too long', `00-${traceId}0-${spanId}-01`],
  ['with a parent id that is too short', `00-${traceId}-${spanId.slice(1)}-01`],
  ['in upper case', `00-${traceId.toUpperCase()}-${spanId}-01`],
  ['with letters that are no digits', `00-${traceId.slice(1)}g-${spanId}-01`],
  ['with flags that are no digits', `00-${traceId}-${spanId}-0x`],
  ['with white space before it', ` 00-${traceId}-${spanId}-01`],
  ['with white space after it', `00-${traceId}-${spanId}-01 `],
  ['with a line break at its end', `00-${traceId}-${spanId}-01\n`],
  ['with other dashes', `00_${traceId}_${spanId}_01`],
  ['two of them', `00-${traceId}-${spanId}-01,00-${traceId}-${spanId}-01`],
])('an invalid traceparent is ignored: %s', (_, text) => {
  expect(readTraceparent(text)).toBeUndefined()
})
