import { describe, expect, test } from 'bun:test'
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
      participants: new Map(),
      feed: { subscribers: 0 },
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
  return { idle, channel, end, at, now: () => now }
}

test('the longest idle channel comes first, by its last use and not its age', () => {
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

test('while no channel has been idle for long enough, the time until one may be is returned', () => {
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

test('channels in use and channels created explicitly are not idle', () => {
  const { idle, channel, at } = setUp()
  const joined = channel({ participants: new Map([[{}, {}]]) as never })
  channel({ feed: { subscribers: 1 } as never })
  channel({ autoCreated: false })
  channel({ hardcoded: true })
  at(5000)
  expect(idle.longest()).toEqual({ retryAfterMs: IDLE_MS })
  joined.participants.clear()
  at(6000)
  expect(idle.longest()).toBe(joined)
})

test('at the limit a flood of names finds an idle channel for each, among many in use', () => {
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

test('channels that have ended do not accumulate', () => {
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

describe('channels that nobody uses', () => {
  /** Sweeps once a second for so long; returns how many looks that took. What is unused goes. */
  const sweep = ({ idle, end, at }: ReturnType<typeof setUp>, from: number, to: number) => {
    let looks = 0
    const gone: [Channel, number][] = []
    for (let now = from; now <= to; now += 1000) {
      at(now)
      for (let next = idle.nextUnused(now); next !== undefined; next = idle.nextUnused(now)) {
        looks++
        if (next === 'in use') continue
        gone.push([next, now])
        end(next)
      }
    }
    return { looks, gone }
  }
  /** A log that is empty from that moment on. */
  const logUntil = (endsAt: number, now: () => number) =>
    ({ isEmpty: () => now() >= endsAt, emptyInMs: () => endsAt - now() }) as Channel['log'] & object

  test('unused channels are checked when they may be removable, and not before', () => {
    const stage = setUp()
    const day = 86_400_000
    for (let i = 0; i < 1000; i++) stage.channel({ log: logUntil(day, stage.now) })
    expect(sweep(stage, 0, 0)).toEqual({ looks: 0, gone: [] })
    expect(sweep(stage, 1000, 1000)).toEqual({ looks: 1000, gone: [] })
    // History may end before its time: it is looked for every ten minutes.
    expect(sweep(stage, 2000, 600_000)).toEqual({ looks: 0, gone: [] })
    expect(sweep(stage, 601_000, 3_600_000)).toEqual({ looks: 5 * 1000, gone: [] })
    expect(sweep(stage, 86_000_000, day).gone).toHaveLength(1000)
  })

  test('unused channels are removed as soon as their idle time and their history have ended', () => {
    const stage = setUp()
    const [spoken, joined, used] = [
      stage.channel({ log: logUntil(50_000, stage.now) }),
      stage.channel({ participants: new Map([[{}, {}]]) as never }),
      stage.channel(),
    ]
    used.lastUsed = 4000
    expect(sweep(stage, 1000, 9000).gone).toEqual([[used, 5000]])
    joined.participants.clear()
    joined.lastUsed = 9500
    expect(sweep(stage, 10_000, 20_000).gone).toEqual([[joined, 11_000]])
    expect(sweep(stage, 21_000, 60_000).gone).toEqual([[spoken, 50_000]])
  })

  test('unused channels stay while their log is unknown and are checked again after the idle time', () => {
    const stage = setUp()
    stage.channel({ log: { isEmpty: () => false, emptyInMs: () => 0 } as never })
    expect(sweep(stage, 1000, 10_000)).toEqual({ looks: 10, gone: [] })
  })

  test('unused channels that were created explicitly are skipped', () => {
    const stage = setUp()
    stage.channel({ autoCreated: false })
    stage.channel({ hardcoded: true })
    expect(sweep(stage, 1000, 10_000)).toEqual({ looks: 0, gone: [] })
  })
})
