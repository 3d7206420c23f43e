import { expect, test } from 'bun:test'
import { countsOf, createHistogram, histogramSamples, observe, percentileSince } from './histogram.ts'

test('a bucket counts values up to its bound, and each bucket includes the smaller ones', () => {
  const histogram = createHistogram([0.1, 1])
  for (const seconds of [0.05, 0.1, 0.2, 1, 5]) observe(histogram, seconds)
  expect(histogramSamples('x', histogram, { command: 'ping' })).toEqual([
    { metricName: 'x_bucket', labels: { command: 'ping', le: 0.1 }, value: 2 },
    { metricName: 'x_bucket', labels: { command: 'ping', le: 1 }, value: 4 },
    { metricName: 'x_bucket', labels: { command: 'ping', le: '+Inf' }, value: 5 },
    { metricName: 'x_sum', labels: { command: 'ping' }, value: 6.35 },
    { metricName: 'x_count', labels: { command: 'ping' }, value: 5 },
  ])
})

test('a percentile is of what was observed since a copy of the counts, within its bucket by proportion', () => {
  const histogram = createHistogram([1, 2, 4])
  for (let i = 0; i < 100; i++) observe(histogram, 3)
  const before = countsOf(histogram)
  expect(percentileSince(before, histogram, 0.99)).toBeNull()
  for (let i = 0; i < 50; i++) observe(histogram, 0.5)
  for (let i = 0; i < 50; i++) observe(histogram, 1.5)
  expect(percentileSince(before, histogram, 0.5)).toBe(1)
  expect(percentileSince(before, histogram, 0.75)).toBe(1.5)
  observe(histogram, 100)
  expect(percentileSince(before, histogram, 1)).toBe(4)
})
