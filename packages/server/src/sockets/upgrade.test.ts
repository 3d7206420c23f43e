import { expect, test } from 'bun:test'
import { runtimeIdleSeconds } from './upgrade.ts'

test('the runtime has a timeout for a WebSocket where pings keep it from ever coming', () => {
  expect(runtimeIdleSeconds(25_000)).toBe(960)
  expect(runtimeIdleSeconds(479_000)).toBe(960)
  expect(runtimeIdleSeconds(24 * 3_600_000)).toBe(0)
})
