import { describe, expect, test } from 'bun:test'
import { createRandom } from '@arqonbus/testing'
import { Account, Source } from '../limits/accounts.ts'
import { createDedup, type Fingerprint } from './dedup.ts'

const WINDOW_MS = 1000
const MOST_OF_FIRST = 1024
const FIRST_BYTES = 44 * MOST_OF_FIRST

/** Each message is of another sender, from another address: none uses more than a share. */
const accountOf = (i: number) => new Account(`sender-${i}`, new Source(`address-${i}`))

/** The print of message `i`; `content` tells one content from another. */
const printOf = (i: number, content = 0): Fingerprint => ({
  idLow: Math.imul(i, 0x9e3779b1),
  idHigh: i + 1,
  contentLow: content,
  contentHigh: content,
  account: accountOf(i),
})

test('deduplication finds a message with its position and detects other content', () => {
  const dedup = createDedup(WINDOW_MS, 1 << 20)
  expect(dedup.find(printOf(1), 5000)).toBeUndefined()
  dedup.add(printOf(1, 7), 5000, 12, 5000)
  expect(dedup.find(printOf(1, 7), 5000)).toEqual({ kind: 'same', ms: 5000, n: 12 })
  expect(dedup.find(printOf(1, 8), 5000)).toEqual({ kind: 'conflict' })
  expect(dedup.find(printOf(2, 7), 5000)).toBeUndefined()
})

test('fingerprints with the same slot are not confused', () => {
  const dedup = createDedup(WINDOW_MS, 1 << 20)
  const alike = Array.from(
    { length: 50 },
    (_, i): Fingerprint => ({ idLow: 3, idHigh: i, contentLow: i, contentHigh: 0, account: accountOf(i) }),
  )
  alike.forEach((print, i) => dedup.add(print, 1, i + 1, 1))
  expect(alike.map((print) => dedup.find(print, 1))).toEqual(alike.map((_, i) => ({ kind: 'same', ms: 1, n: i + 1 })))
})

test('a message is forgotten after its own window, even if a younger one shares its segment', () => {
  const dedup = createDedup(WINDOW_MS, 1 << 20)
  dedup.add(printOf(1), 0, 1, 0)
  dedup.add(printOf(2), 600, 2, 600)
  expect([dedup.find(printOf(1), 1000)?.kind, dedup.find(printOf(1), 1001)?.kind]).toEqual(['same', undefined])
  expect(dedup.find(printOf(2), 1600)?.kind).toBe('same')
  dedup.sweep(1600)
  expect(dedup.bytes()).toBe(FIRST_BYTES)
  dedup.sweep(1601)
  expect(dedup.bytes()).toBe(0)
})

test('a message sent again after its window takes its slot again and is found there', () => {
  const dedup = createDedup(WINDOW_MS, FIRST_BYTES)
  let now = 0
  for (let round = 0; round < 10 * MOST_OF_FIRST; round++) {
    now += WINDOW_MS + 1
    expect(dedup.find(printOf(1, round), now)).toBeUndefined()
    expect(dedup.hasRoom(printOf(1, round), now)).toBe(true)
    dedup.add(printOf(1, round), now, round + 1, now)
  }
  expect(dedup.find(printOf(1, 10 * MOST_OF_FIRST - 1), now)).toEqual({ kind: 'same', ms: now, n: 10 * MOST_OF_FIRST })
})

describe('the bytes', () => {
  /** Adds until there is no room; returns how many fitted. */
  const fill = (dedup: ReturnType<typeof createDedup>, now: number) => {
    let count = 0
    while (dedup.hasRoom(printOf(count), now)) dedup.add(printOf(count), now, ++count, now)
    return count
  }

  test('deduplication uses no bytes at first, few for a few messages, and never more than allowed', () => {
    const dedup = createDedup(WINDOW_MS, 1 << 20)
    expect(dedup.bytes()).toBe(0)
    dedup.add(printOf(0), 1, 1, 1)
    expect(dedup.bytes()).toBe(FIRST_BYTES)
    fill(dedup, 1)
    expect(dedup.bytes()).toBeLessThanOrEqual(1 << 20)
    expect(dedup.bytes()).toBeGreaterThan((1 << 20) - FIRST_BYTES)
  })

  test('deduplication memory is used to the last segment, and everything in it is found', () => {
    const dedup = createDedup(WINDOW_MS, 3.5 * FIRST_BYTES)
    const count = fill(dedup, 1)
    expect(count).toBeGreaterThan(3 * MOST_OF_FIRST - 10)
    for (let i = 0; i < count; i++)
      expect(dedup.find(printOf(i), 1 + WINDOW_MS)).toEqual({ kind: 'same', ms: 1, n: i + 1 })
  })

  test('full deduplication memory is freed only after the window, which is never shortened', () => {
    const dedup = createDedup(WINDOW_MS, 3 * FIRST_BYTES)
    fill(dedup, 0)
    expect(dedup.hasRoom(printOf(-1), WINDOW_MS)).toBe(false)
    expect(dedup.find(printOf(0), WINDOW_MS)).toBeDefined()
    expect(dedup.hasRoom(printOf(-1), WINDOW_MS + 1)).toBe(true)
    expect(dedup.find(printOf(0), WINDOW_MS + 1)).toBeUndefined()
  })

  test('with less memory than one segment there is no room at all', () => {
    expect(createDedup(WINDOW_MS, FIRST_BYTES - 1).hasRoom(printOf(0), 0)).toBe(false)
  })
})

test('rare messages are remembered for their window, even beyond the range of an offset', () => {
  const windowMs = 86_400_000
  const dedup = createDedup(windowMs, 1 << 20)
  for (let n = 1, now = 0; n <= 100; n++, now += windowMs) {
    expect(dedup.find(printOf(n - 1), now)?.kind).toBe(n === 1 ? undefined : 'same')
    expect(dedup.find(printOf(n - 2), now)).toBeUndefined()
    dedup.add(printOf(n), now, n, now)
  }
})

test('deduplication finds the messages that a map of times would find', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = createRandom(seed)
    const dedup = createDedup(WINDOW_MS, 256 * 1024)
    const known = new Map<number, { ms: number; n: number; content: number }>()
    let now = 10_000
    for (let n = 1; n <= 3000; n++) {
      now += random.below(3)
      const i = random.below(4000)
      const content = random.below(2)
      const before = known.get(i)
      const isKnown = before !== undefined && before.ms + WINDOW_MS >= now
      const expected = !isKnown
        ? undefined
        : before.content === content
          ? { kind: 'same' as const, ms: before.ms, n: before.n }
          : { kind: 'conflict' as const }
      expect(dedup.find(printOf(i, content), now)).toEqual(expected)
      if (!isKnown && dedup.hasRoom(printOf(i, content), now)) {
        dedup.add(printOf(i, content), now, n, now)
        known.set(i, { ms: now, n, content })
      }
      if (random.chance(1)) dedup.sweep(now)
    }
  }
})
