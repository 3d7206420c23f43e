import { expect, test } from 'bun:test'
import { createSendBuffers, LEAST_BYTES } from './send-buffers.ts'

const KiB = 1024
const MiB = 1024 * KiB

test('one connection may use its whole limit while the total of send buffers is small', () => {
  const buffers = createSendBuffers(128 * MiB)
  buffers.source()(16 * MiB)
  expect(buffers.limit(512 * KiB)).toBe(512 * KiB)
})

test('the limit of one connection shrinks as the total of send buffers grows', () => {
  const buffers = createSendBuffers(128 * MiB)
  const measured = buffers.source()
  const limits = [17, 32, 64, 128, 1000].map((waiting) => {
    measured(waiting * MiB)
    return buffers.limit(512 * KiB)
  })
  expect(limits).toEqual([...limits].sort((a, b) => b - a))
  expect([limits[1], limits.at(-1)]).toEqual([128 * KiB, LEAST_BYTES])
})

test('many readers that stop together stay under the total bound', () => {
  for (const readers of [100, 300, 1000, 5000]) {
    const buffers = createSendBuffers(128 * MiB)
    const measured = buffers.source()
    let each = 0
    while (each <= buffers.limit(512 * KiB)) {
      each += KiB
      measured(readers * each)
    }
    expect(buffers.excess).toBeLessThan(0)
  }
})

test('the excess over the total bound is that of all sources together', () => {
  const buffers = createSendBuffers(MiB)
  const [sockets, streams] = [buffers.source(), buffers.source()]
  sockets(9 * MiB)
  streams(MiB)
  sockets(2 * MiB)
  expect(buffers.excess).toBe(2 * MiB)
})
