import { expect, test } from 'bun:test'
import type { Client } from '../state/model.ts'
import { createStandstill } from './standstill.ts'

function setUp() {
  let now = 0
  let waiting = 1000
  let left = 0
  const isAtStandstill = createStandstill({ monotonic: () => now }, 60_000)
  const client = {
    transport: { bufferedBytes: () => waiting, flow: () => ({ left }) },
  } as unknown as Client
  const look = (ms: number, bytes: number) => {
    now += ms
    waiting = bytes
    return isAtStandstill(client)
  }
  const leave = (bytes: number) => {
    left += bytes
  }
  return { look, leave }
}

test('a connection that takes nothing is detected after its time', () => {
  const { look } = setUp()
  expect([look(0, 1000), look(59_000, 1000), look(1001, 1000)]).toEqual([false, false, true])
})

test('a connection that takes a little is slow, and not stalled', () => {
  const { look } = setUp()
  for (let bytes = 1000; bytes > 990; bytes--) expect(look(59_000, bytes)).toBe(false)
})

test('data added to the send buffer counts neither as progress nor as a stall', () => {
  const { look } = setUp()
  expect([look(0, 1000), look(30_000, 5000), look(30_001, 5000)]).toEqual([false, false, true])
  expect([look(0, 9000), look(1, 8999), look(60_000, 9500), look(2, 9500)]).toEqual([true, false, false, true])
})

test('a connection that takes only what waits in the system is slow, and not stalled', () => {
  const { look, leave } = setUp()
  look(0, 1000)
  for (let n = 0; n < 5; n++) {
    leave(1)
    expect(look(60_001, 1000)).toBe(false)
  }
  expect(look(60_001, 1000)).toBe(true)
})
