import { expect, test } from 'bun:test'
import { cached } from './cached.ts'

test('a value is computed once within its cache time, however often it is requested', async () => {
  let now = 0
  let computed = 0
  const ask = cached(
    1000,
    () => now,
    () => ++computed,
  )
  expect(await Promise.all(Array.from({ length: 100 }, ask))).toEqual(Array(100).fill(1))
  now = 999
  expect(await ask()).toBe(1)
  now = 1000
  expect(await ask()).toBe(2)
})

test('callers that wait for the same value share one result', async () => {
  const { promise, resolve } = Promise.withResolvers<string>()
  let computed = 0
  const ask = cached(
    1000,
    () => 0,
    () => {
      computed++
      return promise
    },
  )
  const asked = Promise.all([ask(), ask(), ask()])
  resolve('done')
  expect([await asked, computed]).toEqual([['done', 'done', 'done'], 1])
})

test('a failure reaches its callers, and the next call tries again', async () => {
  let fail = true
  const ask = cached(
    1000,
    () => 0,
    () => {
      if (fail) throw new Error('not now')
      return 'fine'
    },
  )
  const failed = await Promise.allSettled([ask(), ask()])
  expect(failed.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  fail = false
  expect(await ask()).toBe('fine')
})

test('without a cache time every call computes', async () => {
  let computed = 0
  const ask = cached(
    0,
    () => 0,
    () => ++computed,
  )
  expect([await ask(), await ask()]).toEqual([1, 2])
})
