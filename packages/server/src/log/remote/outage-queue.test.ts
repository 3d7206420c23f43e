import { expect, test } from 'bun:test'
import { draftOf } from '@arqonbus/testing'
import { OutageQueue } from './outage-queue.ts'

const log = { name: 'a:a' }
const item = (id: string, ack = false) => ({ log, draft: draftOf({ id, ack }), bytes: 100 })
const deletion = { log, draft: undefined, bytes: 0 }

test('the outage queue returns operations in the order of arrival and is empty then', () => {
  const held = new OutageQueue<typeof deletion | ReturnType<typeof item>>(1000)
  const items = [item('arq_1'), deletion, item('arq_2', true)]
  for (const one of items) held.add(one)
  expect([held.size, held.bytes]).toEqual([3, 200])
  expect(held.takeAll()).toEqual(items)
  expect([held.size, held.bytes, held.takeAll()]).toEqual([0, 0, []])
  expect(held.find('a:a', item('arq_2').draft.envelope)).toBeUndefined()
})

test('the outage queue has room up to its byte limit', () => {
  const held = new OutageQueue(250)
  held.add(item('arq_1'))
  expect([held.hasRoom(150), held.hasRoom(151)]).toEqual([true, false])
})

test('a queued message that requested deduplication is found by log, sender and id, and no other is', () => {
  const held = new OutageQueue<ReturnType<typeof item>>(1000)
  const known = item('arq_1', true)
  held.add(known, 7)
  held.add(item('arq_2'))
  expect(held.find('a:a', known.draft.envelope)).toMatchObject({ item: known, call: 7 })
  expect(held.find('a:b', known.draft.envelope)).toBeUndefined()
  expect(held.find('a:a', draftOf({ id: 'arq_1', from: 'bob' }).envelope)).toBeUndefined()
  expect(held.find('a:a', draftOf({ id: 'arq_2' }).envelope)).toBeUndefined()
})

test('of queued calls with an unknown outcome, the executed ones are dropped and the others remain', () => {
  const held = new OutageQueue<ReturnType<typeof item>>(1000)
  const [done, undone, later] = [item('arq_1', true), item('arq_2', true), item('arq_3', true)]
  held.add(done, 7)
  held.add(undone, 8)
  held.add(later)
  held.forgetDone(7)
  expect(held.find('a:a', done.draft.envelope)).toBeUndefined()
  expect(held.find('a:a', undone.draft.envelope)).toEqual({ item: undone, call: undefined })
  expect([held.size, held.bytes]).toEqual([2, 200])
  expect(held.takeAll()).toEqual([undone, later])
})
