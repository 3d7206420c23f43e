import { expect, test } from 'bun:test'
import { type Bucket, type Rate, takeFrom, waitMs } from './bucket.ts'

const rate: Rate = { perSecond: 10, burst: 3 }
const full = (now: number): Bucket => ({ tokens: rate.burst, at: now })
/** How many are taken out of `tries`. */
const taken = (bucket: Bucket, now: number, tries = 100) =>
  Array.from({ length: tries }, () => takeFrom(bucket, rate, now)).filter(Boolean).length

test('a full bucket gives one burst and no more', () => {
  expect(taken(full(0), 0)).toBe(3)
})

test('a bucket refills at its rate, up to the burst', () => {
  const bucket = full(0)
  taken(bucket, 0)
  expect([taken(bucket, 99), taken(bucket, 100), taken(bucket, 350), taken(bucket, 60_000)]).toEqual([0, 1, 2, 3])
})

test('over a long time a bucket gives its rate, however often it is tried', () => {
  const bucket = full(0)
  let count = 0
  for (let now = 0; now <= 60_000; now += 7) if (takeFrom(bucket, rate, now)) count++
  expect(count).toBeWithin(602, 604)
})

test('a bucket says when it has a token again, and then it has one', () => {
  for (let used = 0; used < 100; used += 7) {
    const bucket = full(0)
    taken(bucket, used)
    const wait = waitMs(bucket, rate)
    expect(wait).toBeGreaterThan(0)
    expect(takeFrom({ ...bucket }, rate, used + wait)).toBe(true)
  }
})

test('several tokens are taken all or none, and the bucket says when there are so many', () => {
  const bucket = full(0)
  expect(takeFrom(bucket, rate, 0, 2)).toBe(true)
  expect(takeFrom(bucket, rate, 0, 2)).toBe(false)
  expect(bucket.tokens).toBe(1)
  expect(waitMs(bucket, rate, 2)).toBe(100)
  expect(takeFrom(bucket, rate, 100, 2)).toBe(true)
})
