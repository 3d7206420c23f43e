import { expect, test } from 'bun:test'
import { isMemoryLow, reason } from './health.ts'

test('memory is low above nine tenths of what the process may have', () => {
  expect([isMemoryLow(900, 1000), isMemoryLow(901, 1000)]).toEqual([false, true])
})

test('a reason has its message, and what exactly where that is known', () => {
  expect(reason('memory_low')).toEqual({ code: 'memory_low', message: expect.stringContaining('memory') })
  expect(reason('storage_away', 'noperm')).toMatchObject({ code: 'storage_away', detail: 'noperm' })
})
