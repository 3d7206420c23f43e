import { expect, test } from 'bun:test'
import { batchesOf } from './batches.ts'
import type { JoinEntry } from './recovery.ts'

const room = (channels: number): JoinEntry => {
  const names = Array.from({ length: channels }, (_, i) => `channel-${i}`)
  return {
    channel: 'science:*',
    since: Object.fromEntries(names.map((name) => [name, '1795304867963-12345'])),
    since_id: Object.fromEntries(names.map((name) => [name, 'arq_01a2008930087509b70fbbe940a06c38'])),
  }
}

test('up to a hundred joins go into one command', () => {
  const entries = Array.from({ length: 250 }, (_, i) => ({ channel: `science:c${i}`, since: '5-1' }))
  const batches = batchesOf(entries, 262_144)
  expect(batches.map(({ length }) => length)).toEqual([100, 100, 50])
  expect(batches.flat()).toEqual(entries)
})

test('a batch has fewer joins if it would be longer than a frame', () => {
  const entries = Array.from({ length: 10 }, () => room(1000))
  const batches = batchesOf(entries, 262_144)
  expect(batches.flat()).toEqual(entries)
  for (const batch of batches) expect(JSON.stringify(batch).length).toBeLessThan(262_144 - 1000)
  expect(batches.length).toBeGreaterThan(2)
})

test('a join that does not fit into a frame is sent without ids, and then without positions', () => {
  const [ids, positions] = batchesOf([room(1000)], 64 * 1024).flat()
  expect(ids).toEqual({ channel: 'science:*', since: room(1000).since! })
  expect(positions).toBeUndefined()
  expect(batchesOf([room(1000)], 16 * 1024)).toEqual([[{ channel: 'science:*' }]])
})
