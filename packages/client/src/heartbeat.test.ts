import { expect, test } from 'bun:test'
import { createManualClock } from '../test/support/manual-clock.ts'
import { createHeartbeat } from './heartbeat.ts'

function setUp() {
  const clock = createManualClock()
  const calls: string[] = []
  const heartbeat = createHeartbeat(
    clock,
    () => calls.push('ping'),
    () => calls.push('dead'),
  )
  return { clock, calls, heartbeat }
}

test('a silent connection is pinged after one interval and aborted after the next', () => {
  const { clock, calls, heartbeat } = setUp()
  heartbeat.start(100)
  clock.advance(99)
  expect(calls).toEqual([])
  clock.advance(1)
  expect(calls).toEqual(['ping'])
  clock.advance(100)
  expect(calls).toEqual(['ping', 'dead'])
  expect(clock.timers()).toBe(0)
})

test('any incoming frame keeps the connection', () => {
  const { clock, calls, heartbeat } = setUp()
  heartbeat.start(100)
  for (let i = 0; i < 10; i++) {
    clock.advance(60)
    heartbeat.heard()
  }
  expect(calls).toEqual([])
  clock.advance(250)
  expect(calls).toEqual(['ping'])
  heartbeat.heard()
  clock.advance(149)
  expect(calls).toEqual(['ping'])
})

test('the heartbeat is off at 0 and stays off when stopped', () => {
  const { clock, calls, heartbeat } = setUp()
  heartbeat.start(0)
  clock.advance(1000)
  heartbeat.start(100)
  heartbeat.stop()
  clock.advance(1000)
  expect(calls).toEqual([])
})
