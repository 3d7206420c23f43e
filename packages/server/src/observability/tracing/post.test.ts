import { expect, test } from 'bun:test'
import { retryAfterMs } from './post.ts'

const now = Date.parse('2026-11-22T12:00:00Z')

test.each([
  [null, undefined],
  ['0', 0],
  ['120', 120_000],
  [' 7 ', 7000],
  ['Sun, 22 Nov 2026 12:00:30 GMT', 30_000],
  ['Sun, 22 Nov 2026 11:00:00 GMT', 0],
  ['soon', undefined],
  ['', undefined],
])('Retry-After %p is read as %p ms', (text, ms) => {
  expect(retryAfterMs(text, now)).toBe(ms)
})
