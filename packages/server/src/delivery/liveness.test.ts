import { describe, expect, test } from 'bun:test'
import { testClock } from '@arqonbus/testing'
import type { Flow } from '../state/transport.ts'
import { createLiveness } from './liveness.ts'

const pingIntervalMs = 25_000
const pingTimeoutMs = 60_000

/** One peer, looked at every second. */
function rig(settings: { pingIntervalMs: number; pingTimeoutMs: number } = { pingIntervalMs, pingTimeoutMs }) {
  const clock = testClock()
  const liveness = createLiveness({ clock, ...settings })
  const flow: { -readonly [Key in keyof Flow]: Flow[Key] } = { received: 0, left: 0, isWaiting: false }
  let pings = 0
  let looks = 0
  const transport = {
    isPaused: false,
    flow() {
      looks++
      return { ...flow }
    },
    ping: () => void pings++,
  }
  const peer = { lastHeard: clock.monotonic(), transport }
  /** Goes on for so long, or until the peer is gone; returns how long it lived. */
  const live = (ms: number, each: (passed: number) => void = () => {}): number => {
    for (let passed = 0; passed < ms; passed += 1000) {
      liveness.beginRound()
      if (!liveness.look(peer, 7)) return passed
      clock.advance(1000)
      each(passed + 1000)
    }
    return ms
  }
  return { clock, flow, peer, transport, live, pings: () => pings, looks: () => looks }
}

describe('a peer', () => {
  test('a silent peer is considered gone after the timeout', () => {
    expect(rig().live(3_600_000)).toBe(pingTimeoutMs + 1000)
  })

  test('a peer that answers pings lives, is pinged once per interval and costs no system call', () => {
    const { clock, peer, live, pings, looks } = rig()
    const answer = () => {
      if (pings() > 0) peer.lastHeard = clock.monotonic()
    }
    expect(live(250_000, answer)).toBe(250_000)
    expect([pings(), looks()]).toEqual([10, 0])
  })

  test('a peer lives while a long frame of it arrives, and for the timeout after its last byte', () => {
    const { flow, live } = rig()
    const arrive = (passed: number) => {
      if (passed <= 300_000 && passed % 20_000 === 0) flow.received += 100
    }
    expect(live(3_600_000, arrive)).toBeWithin(300_000 + pingTimeoutMs, 300_000 + pingTimeoutMs + 3000)
  })

  test('a peer lives while it reads its backlog, and for the timeout after its last byte', () => {
    const { flow, live } = rig()
    flow.isWaiting = true
    const read = (passed: number) => {
      if (passed <= 300_000 && passed % 5000 === 0) flow.left += 100_000
    }
    expect(live(3_600_000, read)).toBeWithin(300_000 + pingTimeoutMs, 300_000 + pingTimeoutMs + 3000)
  })

  test('a peer that reads nothing of its backlog is considered gone after the timeout', () => {
    const { flow, live } = rig()
    flow.isWaiting = true
    expect(live(3_600_000)).toBe(pingTimeoutMs + 1000)
  })

  test('a peer whose system takes only pings is considered gone after the timeout', () => {
    const { flow, live } = rig()
    expect(live(3_600_000, () => (flow.left += 2))).toBe(pingTimeoutMs + 1000)
  })

  test('a peer that is not read from is not considered silent', () => {
    const { transport, live, peer, clock } = rig()
    transport.isPaused = true
    expect(live(600_000)).toBe(600_000)
    transport.isPaused = false
    peer.lastHeard = clock.monotonic()
    expect(live(3_600_000)).toBeWithin(pingTimeoutMs, pingTimeoutMs + 2001)
  })

  test('a peer with a backlog has ten seconds to show that it reads, even with a shorter timeout', () => {
    const short = { pingIntervalMs: 1000, pingTimeoutMs: 2000 }
    const { flow, live } = rig(short)
    flow.isWaiting = true
    expect(live(100_000, (passed) => (flow.left += passed % 4000 === 0 ? 65_536 : 0))).toBe(100_000)
    expect(live(3_600_000)).toBeWithin(10_000, 13_000)
    expect(rig(short).live(3_600_000)).toBeWithin(2000, 4001)
  })
})

describe('after the process was frozen', () => {
  test('after a freeze every peer is pinged at once and has the whole timeout again', () => {
    const { clock, live, pings } = rig()
    live(50_000)
    clock.freeze(3_600_000)
    const before = pings()
    expect(live(1000)).toBe(1000)
    expect(pings() - before).toBe(1)
    expect(live(3_600_000)).toBeWithin(pingTimeoutMs - 1000, pingTimeoutMs + 2000)
  })

  test('freezes longer than a short timeout never make a peer count as gone', () => {
    const { clock, live } = rig({ pingIntervalMs: 1000, pingTimeoutMs: 2000 })
    for (let time = 0; time < 100; time++) {
      expect(live(1000)).toBe(1000)
      clock.freeze(10_000)
    }
  })
})

test('the pings of many peers are spread over an interval', () => {
  const clock = testClock()
  const liveness = createLiveness({ clock, pingIntervalMs, pingTimeoutMs })
  const pinged: number[] = []
  const peers = Array.from({ length: 1000 }, (_, number) => ({
    lastHeard: clock.monotonic(),
    transport: {
      isPaused: false,
      flow: () => ({ received: 0, left: 0, isWaiting: false }),
      ping: () => void pinged.push(number),
    },
  }))
  for (let round = 0; round < 25; round++) {
    const before = pinged.length
    liveness.beginRound()
    for (const [number, peer] of peers.entries()) liveness.look(peer, number)
    expect(pinged.length - before).toBe(40)
    clock.advance(1000)
  }
  expect(new Set(pinged).size).toBe(1000)
})
