import { expect, test } from 'bun:test'
import { createSlowLog, draftOf, logSuite, testClock } from '@arqonbus/testing'
import type { Draft, LogListener } from './contract.ts'
import { createMemoryLog } from './memory-log.ts'

logSuite('in memory', 'node', (settings) => ({ driver: createMemoryLog(settings), settle: async () => {} }))

logSuite('that answers later', 'node', (settings) => {
  const slow = createSlowLog({ recent: 4 })
  return { driver: slow.open(settings), settle: slow.settle }
})

test('the heads of the most recently closed logs are remembered, up to the allowed number', () => {
  const clock = testClock()
  const settings = {
    clock,
    maxBytes: 1 << 20,
    inboxBytes: 1 << 20,
    dedupWindowMs: 1000,
    dedupBytes: 1 << 20,
    maxClosed: 2,
    expired() {},
  }
  const driver = createMemoryLog<string, Draft>(settings)
  driver.listen({ delivered() {}, settled() {} } as unknown as LogListener<string, Draft>)
  const names = ['a', 'b', 'c']
  const open = (name: string) => driver.open(name, name, { size: 10, ttlMs: 1000 })
  for (const name of names) {
    const log = open(name)
    log.append(draftOf({}))
    log.close()
    clock.advance(1)
  }
  expect(names.map((name) => open(name).lastDelivered.n)).toEqual([0, 1, 1])
})
