import { expect, test } from 'bun:test'
import { Cursor } from './cursor.ts'

const channels = ['b:two', 'a:one', 'c:three']

test('an id of a stream of several channels brings back what its reader had of each, in any order of the channels', () => {
  const cursor = new Cursor(channels)
  cursor.moved('a:one', '1763380800000-12')
  cursor.awaits('c:three')
  const again = new Cursor(channels.toReversed())
  expect(again.read(cursor.id)).toBe(true)
  expect(channels.map((channel) => again.had(channel))).toEqual([
    { since: undefined, isAwaited: false },
    { since: '1763380800000-12', isAwaited: false },
    { since: undefined, isAwaited: true },
  ])
  expect(again.id).toBe(cursor.id)
})

test('a position that a reader has is not given up for a channel that is gone', () => {
  const cursor = new Cursor(channels)
  cursor.moved('a:one', '5-1')
  expect(cursor.awaits('a:one')).toBe(cursor.moved('a:one', '5-1'))
})

test('the largest positions fit into an id', () => {
  const most = `${Number.MAX_SAFE_INTEGER}-${Number.MAX_SAFE_INTEGER}`
  const cursor = new Cursor(['a:b'])
  const again = new Cursor(['a:b'])
  expect(again.read(cursor.moved('a:b', most))).toBe(true)
  expect(again.had('a:b').since).toBe(most)
})

test('an id of other channels, and what is no id, is not read', () => {
  const { id } = new Cursor(channels)
  const digest = id.slice(0, 6)
  const wrong = [
    new Cursor(['a:one', 'b:two']).id,
    new Cursor(['a:one', 'b:two', 'c:other']).id,
    '',
    '1763380800000-1',
    digest,
    `${id}~`,
    `${digest}~~`,
    `${digest}~~~x`,
    `${digest}~~~1.`,
    `${digest}~~~1.1.1`,
    `${digest}~~~-1.1`,
    `${digest}~~~zzzzzzzzzzz.1`,
    `${digest}~~~A.1`,
  ]
  const cursor = new Cursor(channels)
  expect(wrong.filter((one) => cursor.read(one))).toEqual([])
  expect(cursor.id).toBe(id)
})
