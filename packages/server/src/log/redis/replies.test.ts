import { expect, test } from 'bun:test'
import { appendsIn, entryOf, newsIn, originIn, outcomeIn, pageIn, seenIn } from './replies.ts'

test('an append was appended, was there already, or is in conflict; and logs say what went from them', () => {
  const { outcomes, ...gone } = appendsIn('+1700-3 =1700-2 ! 4 1 0 2', 3)
  expect(outcomes.map(outcomeIn)).toEqual([
    { kind: 'appended', position: { ms: 1700, n: 3 } },
    { kind: 'repeated', position: { ms: 1700, n: 2 } },
    { kind: 'conflict' },
  ])
  expect(gone).toEqual({ byLength: 4, byAge: 3 })
  expect(() => outcomeIn('+nonsense')).toThrow('no position')
})

test('a look tells of each log, or that there is none', () => {
  const answer = ['1000', '1700', '3', '1600-2', '{"version"', '', '', '', '', '', '1000', '1000', '0', '', '']
  expect(seenIn(answer, 0)).toEqual({
    birth: { ms: 1000, n: 0 },
    head: { ms: 1700, n: 3 },
    oldest: { ms: 1600, n: 2 },
    at: '{"version"',
  })
  expect(seenIn(answer, 1)).toBeUndefined()
  expect(seenIn(answer, 2)).toEqual({
    birth: { ms: 1000, n: 0 },
    head: { ms: 1000, n: 0 },
    oldest: undefined,
    at: undefined,
  })
})

const head = '{"version":"1.0","id":"arq_1","timestamp":"'
const body = '","payload":{"a":1.0},"metadata":{"position":"'
const pieces = { head, body, joint: '' }

test('an entry is put together as it is delivered', () => {
  expect(JSON.parse(entryOf({ ms: 0, n: 7 }, pieces).text)).toEqual({
    version: '1.0',
    id: 'arq_1',
    timestamp: '1970-01-01T00:00:00.000Z',
    payload: { a: 1 },
    metadata: { position: '0-7' },
  })
})

test('a page has its bounds and its entries, also where there is no log', () => {
  const page = pageIn(['1000', '1700', '3', '1600-2', '1', '1600-2', head, body])
  expect(page).toMatchObject({ head: { ms: 1700, n: 3 }, oldest: { ms: 1600, n: 2 }, hasMore: true })
  expect(page.entries).toEqual([entryOf({ ms: 1600, n: 2 }, pieces)])
  expect(pageIn(['', '', '', '', ''])).toEqual({ head: undefined, oldest: undefined, hasMore: false, entries: [] })
})

test('an announcement says whose call it was, and what it brought; anything else is none', () => {
  const message = Buffer.from(
    `node-1\x1f2\x1f9\x1ea:b\x1f1700-3\x1f0\x1f${head}\x1f${body}\x1ea:ü\x1f1700-1\x1f1\x1f{\x1f}`,
  )
  expect(originIn(message)).toEqual({ node: 'node-1', generation: '2', call: 9 })
  expect(newsIn(message)).toEqual([
    { name: 'a:b', position: { ms: 1700, n: 3 }, index: 0, pieces },
    { name: 'a:ü', position: { ms: 1700, n: 1 }, index: 1, pieces: { head: '{', body: '}', joint: '' } },
  ])
  for (const junk of ['x\x1f1\x1f1\x1ea:b', 'x\x1f1\x1f1\x1ea:b\x1fwhere\x1f0\x1f{\x1f}', '\x1e'])
    expect(newsIn(Buffer.from(junk))).toBeUndefined()
})
