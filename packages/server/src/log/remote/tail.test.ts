import { expect, test } from 'bun:test'
import type { Entry } from '../contract.ts'
import { Tail } from './tail.ts'

/** A tail of entries with ten characters each, a millisecond apart. */
const filled = (size: number, first: number, last: number, text = '0123456789') => {
  const tail = new Tail(size)
  for (let n = first; n <= last; n++) tail.push({ n, ms: 1000 + n, text })
  return tail
}
const numbers = (entries: readonly Entry[] | undefined) => entries?.map(({ n }) => n)

test('the tail keeps the last entries: at most the log, 256 or 256 KiB, and at least one', () => {
  expect(filled(3, 1, 10)).toMatchObject({ length: 3, bytes: 30, last: { n: 10 } })
  expect(filled(1000, 1, 300).length).toBe(256)
  expect(filled(1000, 1, 5, 'x'.repeat(100 * 1024)).length).toBe(2)
  expect(filled(1000, 1, 5, 'x'.repeat(300 * 1024)).length).toBe(1)
  expect(new Tail(3)).toMatchObject({ length: 0, bytes: 0, last: undefined })
})

test('the entries after a number are returned without a gap or not at all', () => {
  const tail = filled(5, 1, 10)
  expect(numbers(tail.after(5, 100, 1e6))).toEqual([6, 7, 8, 9, 10])
  expect(tail.after(4, 100, 1e6)).toBeUndefined()
  expect(numbers(tail.after(7, 2, 1e6))).toEqual([8, 9])
  expect(numbers(tail.after(7, 100, 20))).toEqual([8, 9])
  expect(numbers(tail.after(7, 100, 1))).toEqual([8])
  expect(new Tail(5).after(0, 100, 1e6)).toBeUndefined()
})

test('a page from the tail equals one from the log, for recent entries in memory', () => {
  const tail = filled(8, 1, 10)
  const page = (query: object, youngerThan = 0) => {
    const { entries, hasMore, first } = tail.page({ limit: 100, maxBytes: 1e6, ...query }, youngerThan)
    return [numbers(entries), hasMore, first?.n]
  }
  const at = (n: number) => ({ ms: 1000 + n, n })
  expect(page({})).toEqual([[3, 4, 5, 6, 7, 8, 9, 10], false, 3])
  expect(page({ limit: 2 })).toEqual([[3, 4], true, 3])
  expect(page({ from: 'newest', limit: 2 })).toEqual([[9, 10], true, 3])
  expect(page({ after: at(8) })).toEqual([[9, 10], false, 3])
  expect(page({ after: at(1), limit: 1 })).toEqual([[3], true, 3])
  expect(page({ after: at(10) })).toEqual([[], false, 3])
  expect(page({ before: at(6), limit: 2 })).toEqual([[4, 5], true, 3])
  expect(page({ before: at(2) })).toEqual([[], false, 3])
  expect(page({ before: at(99), maxBytes: 25 })).toEqual([[9, 10], true, 3])
  expect(page({}, 1007)).toEqual([[8, 9, 10], false, 8])
  expect(page({ from: 'newest', limit: 5 }, 1007)).toEqual([[8, 9, 10], false, 8])
  expect(page({}, 1010)).toEqual([[], false, undefined])
})
