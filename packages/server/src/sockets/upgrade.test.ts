import { expect, test } from 'bun:test'
import { runtimeIdleSeconds } from './upgrade.ts'

test('the runtime’s own WebSocket timeout is set where pings always prevent it', () => {
  expect(runtimeIdleSeconds(25_000)).toBe(960)
  expect(runtimeIdleSeconds(479_000)).toBe(960)
  expect(runtimeIdleSeconds(24 * 3_600_000)).toBe(0)
})
