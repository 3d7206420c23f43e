import { expect, test } from 'bun:test'
import { createHistogram } from './histogram.ts'

test('a percentile is at most 1/64 too high, and never too low', () => {
  const histogram = createHistogram()
  for (let value = 1; value <= 1_000_000; value++) histogram.record(value)
  for (const share of [0.001, 0.5, 0.9, 0.99, 0.999, 1]) {
    const exact = share * 1_000_000
    expect(histogram.percentile(share)).toBeGreaterThanOrEqual(exact)
    expect(histogram.percentile(share)).toBeLessThanOrEqual(exact * (1 + 1 / 64))
  }
})

test('a histogram accepts no values, zero, negative values and values beyond its range', () => {
  const histogram = createHistogram()
  expect(histogram.percentile(0.99)).toBe(0)
  histogram.record(-5)
  expect(histogram.percentile(1)).toBe(0)
  histogram.record(1e12)
  expect(histogram.percentile(1)).toBe(0x7fffffff)
  expect(histogram.max()).toBe(0x7fffffff)
  histogram.clear()
  expect(histogram.count()).toBe(0)
})
