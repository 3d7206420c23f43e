import { expect, test } from 'bun:test'
import { json } from '../answer.ts'
import { createLists } from './lists.ts'

let computed = 0
const compute = () => json(200, { computed: ++computed })
const later = () => Promise.resolve().then(compute)

test('a list is computed once within its cache time, and again after a change', () => {
  let now = 0
  const lists = createLists(1000, () => now)
  const first = lists.answer('a', compute)
  expect(lists.answer('a', compute)).toBe(first)
  expect(lists.answer('b', compute)).not.toEqual(first)
  now = 999
  expect(lists.answer('a', compute)).toBe(first)
  now = 1000
  const second = lists.answer('a', compute)
  expect(second).not.toEqual(first)
  lists.forget()
  expect(lists.answer('a', compute)).not.toEqual(second)
})

test('callers that wait for the same list share one result', async () => {
  const lists = createLists(1000, () => 0)
  const before = computed
  await Promise.all(Array.from({ length: 100 }, () => lists.answer('a', later)))
  expect(computed).toBe(before + 1)
})

test('refusals and failures of lists are not cached', async () => {
  const lists = createLists(1000, () => 0)
  expect(lists.answer('a', () => json(503, {}))).toMatchObject({ status: 503 })
  expect(lists.answer('a', compute)).toMatchObject({ status: 200 })
  expect(await lists.answer('b', async () => json(503, {}))).toMatchObject({ status: 503 })
  const failure = async () => await lists.answer('b', () => Promise.reject(new Error('not now')))
  await expect(failure()).rejects.toThrow('not now')
  expect(lists.answer('b', compute)).toMatchObject({ status: 200 })
})

test('at most 64 lists are cached, and none with a cache time of zero', () => {
  const lists = createLists(1000, () => 0)
  const first = lists.answer('0', compute)
  for (let n = 1; n < 64; n++) void lists.answer(String(n), compute)
  expect(lists.answer('0', compute)).toBe(first)
  void lists.answer('64', compute)
  expect(lists.answer('0', compute)).not.toEqual(first)
  const none = createLists(0, () => 0)
  expect(none.answer('a', compute)).not.toEqual(none.answer('a', compute))
})
