import { expect, test } from 'bun:test'
import { entryOf } from '../remote/encoded-parts.ts'
import { appendsIn, deletedIn, fencedIn, looksIn, newsIn, originIn, pageIn } from './script-replies.ts'

const unreadable = (read: () => unknown) => expect(read).toThrow('unreadable reply')

test('an append reply gives each outcome: appended, duplicate, conflict or damaged, and the trimmed messages', () => {
  const damage = '\x1e1\x1farqon:b:h\x1fWRONGTYPE Operation against a key'
  const { damages, ...said } = appendsIn(`7 1 +1700-3 =1700-2 ! +1700-4 ? 4 4 1 5 0 0 2 0${damage}`, {
    number: 7,
    counts: [4, 1],
  })
  expect(said).toEqual({
    outcomes: [
      { kind: 'appended', position: { ms: 1700, n: 3 } },
      { kind: 'duplicate', position: { ms: 1700, n: 2 } },
      { kind: 'conflict' },
      { kind: 'appended', position: { ms: 1700, n: 4 } },
      { kind: 'damaged' },
    ],
    byLength: 4,
    byAge: 3,
    byBytes: 5,
  })
  expect([...damages]).toEqual([[1, { key: 'arqon:b:h', error: 'WRONGTYPE Operation against a key' }]])
  expect(appendsIn('8 0 +1700-3 3 0 0 0', { number: 8, counts: [1] }).level).toBe('stored')
})

test('an append reply that is incomplete, of another call or with impossible positions is rejected', () => {
  const asked = { number: 7, counts: [3] }
  expect(appendsIn('7 1 +1700-19 +1700-20 +1700-21 21 0 0 0', asked).outcomes).toHaveLength(3)
  for (const answer of [
    '6 1 +1700-19 +1700-20 +1700-21 21 0 0 0',
    '7 1 +1700-19 +1700-20 21 0 0 0',
    '7 1 +1700-19 +1700-20 +1700-20 +1700-21 21 0 0 0',
    '7 1 +1700-19 +1700-20 +1700-20 21 0 0 0',
    '7 1 +1700-19 +1700-20 +1700-22 22 0 0 0',
    '7 1 +1700-19 +1700-20 +1701-21 21 0 0 0',
    '7 1 +1700-19 +1700-20 +1700-21 20 0 0 0',
    '7 1 +1700-19 +1700-20 +1700-21 21 0 0',
    '7 1 +1700-19 +1700-20 +1700-21 21 0 x 0',
    '7 1 +1700-19 nonsense +1700-21 21 0 0 0',
    '7 1 +1700-19 +nonsense +1700-21 21 0 0 0',
    'PONG',
    '',
    null,
    ['7'],
  ]) {
    unreadable(() => appendsIn(answer, asked))
  }
})

test('an inspection reports each log as present, unchanged, damaged or missing', () => {
  const logs = [
    ['1000', '1700', '3', '1600-2', '{"version"', '1500-1', '900-7'],
    ['', '', '', '', '', '', ''],
    ['1000', '1000', '0', '', '', '', ''],
    ['=', '', '', '', '', '', ''],
    ['?', 'arqon:b:s', 'WRONGTYPE', '', '', '', ''],
  ].flat()
  expect(looksIn(['q1', ...logs], 'q1', 5)).toEqual([
    {
      origin: { ms: 1000, n: 0 },
      head: { ms: 1700, n: 3 },
      oldest: { ms: 1600, n: 2 },
      at: '{"version"',
      gone: { ms: 1500, n: 1 },
      former: { ms: 900, n: 7 },
    },
    undefined,
    {
      origin: { ms: 1000, n: 0 },
      head: { ms: 1000, n: 0 },
      oldest: undefined,
      at: undefined,
      gone: undefined,
      former: undefined,
    },
    'unchanged',
    { damage: { key: 'arqon:b:s', error: 'WRONGTYPE' } },
  ])
  for (const answer of [['q2', ...logs], ['q1', ...logs.slice(1)], ['q1', ...logs, ''], logs, 'OK', null])
    unreadable(() => looksIn(answer, 'q1', 5))
  unreadable(() => looksIn(['q1', '1000', '1700', 'three', '', '', '', ''], 'q1', 1))
})

test('the replies to deletions and fences belong to exactly their call', () => {
  expect(deletedIn('9 4', 9)).toBe(4)
  expect(fencedIn('2 17', 2)).toBe(17)
  unreadable(() => deletedIn('8 4', 9))
  unreadable(() => deletedIn(4, 9))
  unreadable(() => fencedIn('17', 2))
  unreadable(() => fencedIn('2 x', 2))
})

const prefix = '{"version":"1.0","id":"arq_1","timestamp":"'
const suffix = '","payload":{"a":1.0},"metadata":{"position":"'
const parts = { prefix, suffix, glue: '' }

test('an entry is assembled as it is delivered', () => {
  expect(JSON.parse(entryOf({ ms: 0, n: 7 }, parts).text)).toEqual({
    version: '1.0',
    id: 'arq_1',
    timestamp: '1970-01-01T00:00:00.000Z',
    payload: { a: 1 },
    metadata: { position: '0-7' },
  })
})

test('a page has its bounds and entries even without a log, or its log is damaged', () => {
  const page = pageIn(['q1', '1000', '1700', '3', '1600-2', '1', '1600-2', prefix, suffix], 'q1')
  expect(page).toEqual({
    head: { ms: 1700, n: 3 },
    oldest: { ms: 1600, n: 2 },
    hasMore: true,
    entries: [entryOf({ ms: 1600, n: 2 }, parts)],
  })
  expect(pageIn(['q1', '', '', '', '', ''], 'q1')).toMatchObject({ head: undefined, hasMore: false, entries: [] })
  expect(pageIn(['q1', '?', 'arqon:b:s', 'WRONGTYPE'], 'q1')).toEqual({
    damage: { key: 'arqon:b:s', error: 'WRONGTYPE' },
  })
})

test('a page that is incomplete, out of order or of another request is rejected', () => {
  const bounds = ['q1', '1000', '1700', '3', '', '']
  const entry = (position: string) => [position, prefix, suffix]
  for (const answer of [
    [...bounds, '1600-2', prefix],
    [...bounds, ...entry('1600-2'), ...entry('1600-2')],
    [...bounds, ...entry('1600-2'), ...entry('1599-3')],
    [...bounds, ...entry('where')],
    ['q0', ...bounds.slice(1)],
    ['q1', '1000', '1700'],
    ['q1', '1000', 'soon', '3', '', ''],
    'QUEUED',
  ]) {
    unreadable(() => pageIn(answer, 'q1'))
  }
})

test('an announcement names its call and its messages, and anything else is ignored', () => {
  const message = Buffer.from(
    `node-1\x1f2\x1f9\x1f1\x1ea:b\x1f1700-3\x1f0\x1f${prefix}\x1f${suffix}\x1ea:ü\x1f1700-1\x1f1\x1f${prefix}\x1f${suffix}`,
  )
  expect(originIn(message)).toEqual({ node: 'node-1', generation: '2', call: 9, isOnDisk: true })
  expect(newsIn(message)).toEqual([
    { name: 'a:b', position: { ms: 1700, n: 3 }, index: 0, parts },
    { name: 'a:ü', position: { ms: 1700, n: 1 }, index: 1, parts },
  ])
  for (const junk of [
    'x\x1f1\x1f1\x1ea:b',
    `x\x1f1\x1f1\x1ea:b\x1fwhere\x1f0\x1f${prefix}\x1f${suffix}`,
    'x\x1f1\x1f1\x1ea:b\x1f1-1\x1f0\x1fgarbage\x1fgarbage',
    '\x1e',
  ])
    expect(newsIn(Buffer.from(junk))).toBeUndefined()
})
