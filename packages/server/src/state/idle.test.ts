import { expect, test } from 'bun:test'
import { createIdleChannels } from './idle.ts'
import type { Channel } from './model.ts'

const IDLE_MS = 1000

function setUp() {
  let now = 0
  const idle = createIdleChannels({ now: () => now, idleMs: IDLE_MS })
  const channel = (fields: Partial<Channel> = {}): Channel => {
    const made = {
      autoCreated: true,
      hardcoded: false,
      participants: new Set(),
      outlet: { listeners: 0 },
      lastUsed: now,
      ended: undefined,
      ...fields,
    } as Channel
    idle.add(made)
    return made
  }
  const end = (one: Channel) => {
    one.ended = 'deleted'
    idle.removed(one)
  }
  const at = (ms: number) => {
    now = ms
  }
  return { idle, channel, end, at }
}

test('the longest idle channel comes first, by its last use and not by its age', () => {
  const { idle, channel, end, at } = setUp()
  const [a, b, c] = [channel(), channel(), channel()]
  at(500)
  a.lastUsed = 500
  b.lastUsed = 400
  c.lastUsed = 450
  at(1500)
  for (const expected of [b, c, a]) {
    expect(idle.longest()).toBe(expected)
    end(expected)
  }
})

test('while none has been idle for long enough it tells when one may have been', () => {
  const { idle, channel, at } = setUp()
  expect(idle.longest()).toEqual({ retryAfterMs: IDLE_MS })
  const one = channel()
  at(300)
  expect(idle.longest()).toEqual({ retryAfterMs: 700 })
  one.lastUsed = 200
  at(1000)
  expect(idle.longest()).toEqual({ retryAfterMs: 200 })
  at(1200)
  expect(idle.longest()).toBe(one)
})

test('channels that somebody is in or listens to stay, and so do those that were made on purpose', () => {
  const { idle, channel, at } = setUp()
  const joined = channel({ participants: new Set([{}]) as never })
  channel({ outlet: { listeners: 1 } as never })
  channel({ autoCreated: false })
  channel({ hardcoded: true })
  at(5000)
  expect(idle.longest()).toEqual({ retryAfterMs: IDLE_MS })
  joined.participants.clear()
  at(6000)
  expect(idle.longest()).toBe(joined)
})

test('at the limit a flood of names finds an idle channel for each, among many that are in use', () => {
  const { idle, channel, end, at } = setUp()
  const all = Array.from({ length: 20_000 }, () => channel())
  const unused = all.filter((_, i) => i % 10 === 7)
  for (const one of all) one.lastUsed = 900
  for (const one of unused) one.lastUsed = 0
  at(1000)
  let refusals = 0
  for (let i = 0; i < unused.length; i++) {
    let longest = idle.longest()
    while ('retryAfterMs' in longest) {
      refusals++
      longest = idle.longest()
    }
    expect([longest.lastUsed, longest.ended]).toEqual([0, undefined])
    end(longest)
  }
  // Each request renews a bounded number of channels that were used since: here 18,000 of them, 512 at a time.
  expect(refusals).toBeLessThan(18_000 / 512 + 1)
  expect(idle.longest()).toEqual({ retryAfterMs: 900 })
})

test('channels that have ended do not pile up', () => {
  const { idle, channel, end, at } = setUp()
  const weak: WeakRef<Channel>[] = []
  for (let i = 0; i < 10_000; i++) {
    const one = channel()
    weak.push(new WeakRef(one))
    end(one)
  }
  const last = channel()
  at(1000)
  expect(idle.longest()).toBe(last)
  Bun.gc(true)
  expect(weak.filter((one) => one.deref() !== undefined).length).toBeLessThan(1000)
})
