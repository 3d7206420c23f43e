import { expect, test } from 'bun:test'
import type { Gap, Message } from './events.ts'
import { createPositions, INBOX, logOf } from './positions.ts'

const LOG = 'science:general'

function setUp(capacity = 100) {
  const gaps: Gap[] = []
  const positions = createPositions(capacity, (gap) => gaps.push(gap))
  return { positions, gaps }
}

const message = (position: string | undefined, id = `arq_${position}`, from = 'ann') =>
  ({ id, from, metadata: position === undefined ? { provisional: true } : { position } }) as unknown as Message

test('a message after the last position is new, and an earlier one is not', () => {
  const { positions, gaps } = setUp()
  positions.start(LOG, '5-0')
  const taken = ['5-1', '6-2', '6-2', '5-1', '6-3'].map((position) => positions.take(LOG, message(position)))
  expect(taken).toEqual([true, true, false, false, true])
  expect(positions.of(LOG)).toMatchObject({ position: '6-3', id: 'arq_6-3' })
  expect(gaps).toEqual([])
})

test('a jump of n is reported as a gap before the message is delivered', () => {
  const { positions, gaps } = setUp()
  positions.start(LOG, '5-7')
  expect(positions.take(LOG, message('9-10'))).toBe(true)
  expect(gaps).toEqual([{ address: LOG, reason: 'lost', after: '5-7', next: '9-9' }])
})

test('an unknown log starts with its first message', () => {
  const { positions, gaps } = setUp()
  expect(positions.take(LOG, message('9-10'))).toBe(true)
  expect(gaps).toEqual([])
})

test('a lower n at a later time is a new log: the gap is reported, and all its messages are new', () => {
  const { positions, gaps } = setUp()
  positions.start(LOG, '5-6')
  positions.take(LOG, message('5-7', 'arq_a'))
  expect(positions.take(LOG, message('9-1', 'arq_a'))).toBe(true)
  expect(gaps).toEqual([{ address: LOG, reason: 'reset', after: '5-7', next: '9-0' }])
})

test('after a gap notice its base counts, even if it is lower', () => {
  const { positions, gaps } = setUp()
  positions.start(LOG, '5-7')
  positions.start(LOG, '9-0')
  expect(positions.take(LOG, message('9-1'))).toBe(true)
  expect(gaps).toEqual([])
})

test('a provisional copy and its message count as one', () => {
  const { positions } = setUp()
  positions.start(LOG, '5-0')
  expect(positions.take(LOG, message(undefined, 'arq_a'))).toBe(true)
  expect(positions.take(LOG, message('6-1', 'arq_a'))).toBe(false)
  expect(positions.take(LOG, message('6-2', 'arq_a', 'bob'))).toBe(true)
  expect(positions.of(LOG)).toMatchObject({ position: '6-2' })
})

test('a message sent again outside the window is dropped by sender and id, and its position counts', () => {
  const { positions, gaps } = setUp()
  positions.take(LOG, message('5-1', 'arq_a'))
  expect(positions.take(LOG, message('5-2', 'arq_a'))).toBe(false)
  expect(positions.take(LOG, message('5-3', 'arq_b'))).toBe(true)
  expect(gaps).toEqual([])
})

test('the same id in another log is another message', () => {
  const { positions } = setUp()
  positions.take(LOG, message('5-1', 'arq_a'))
  expect(positions.take('science:explore', message('5-1', 'arq_a'))).toBe(true)
})

test('the memory of ids is bounded: at least half of it is always in use', () => {
  const { positions } = setUp(4)
  const isNews = (id: string) => positions.take(LOG, message(undefined, id))
  for (const id of ['arq_a', 'arq_b', 'arq_c', 'arq_d', 'arq_e']) expect(isNews(id)).toBe(true)
  expect(['arq_e', 'arq_d', 'arq_c'].map(isNews)).toEqual([false, false, false])
  expect(isNews('arq_a')).toBe(true)
})

test('messages that the application asks for again are new again', () => {
  const { positions, gaps } = setUp()
  positions.take(LOG, message('5-1'))
  positions.take(LOG, message('5-2'))
  positions.replay(LOG, '5-0')
  expect(['5-1', '5-2', '5-2'].map((position) => positions.take(LOG, message(position)))).toEqual([true, true, false])
  expect(gaps).toEqual([])
})

test('the position of an own message without a copy counts', () => {
  const { positions, gaps } = setUp()
  positions.start(LOG, '5-0')
  positions.own(LOG, '5-1', 'arq_own')
  positions.take(LOG, message('5-2'))
  expect(gaps).toEqual([])
  positions.own('science:explore', '5-9', 'arq_there')
  expect(positions.of('science:explore')).toBeUndefined()
})

test('own messages acknowledged ahead of their turn are no gap and hide none', () => {
  const { positions, gaps } = setUp()
  positions.start(LOG, '5-0')
  positions.own(LOG, '5-3', 'arq_own3')
  positions.own(LOG, '5-4', 'arq_own4')
  expect(positions.of(LOG)).toMatchObject({ position: '5-0' })
  expect(positions.take(LOG, message('5-1'))).toBe(true)
  expect(positions.take(LOG, message('5-2'))).toBe(true)
  expect(positions.of(LOG)).toMatchObject({ position: '5-4', id: 'arq_own4' })
  positions.own(LOG, '5-6', 'arq_own6')
  expect(positions.take(LOG, message('5-7'))).toBe(true)
  expect(gaps).toEqual([{ address: LOG, reason: 'lost', after: '5-4', next: '5-6' }])
})

test('a log that is left is forgotten, and logs are found by their room', () => {
  const { positions } = setUp()
  positions.start(LOG, '5-1', 'arq_a')
  positions.start('science2:general', '5-1')
  expect(positions.within('science:')).toMatchObject([[LOG, { position: '5-1', id: 'arq_a' }]])
  positions.forget(LOG)
  expect(positions.of(LOG)).toBeUndefined()
})

test('private messages belong to the inbox, whatever their room', () => {
  expect(logOf({ type: 'private', room: 'science', channel: 'pm' })).toBe(INBOX)
  expect(logOf({ type: 'event', room: 'science', channel: '*' })).toBe('science:*')
})
