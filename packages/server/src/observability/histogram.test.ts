import { expect, test } from 'bun:test'
import { createHistogram, histogramSamples, observe } from './histogram.ts'

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
