import { expect, test } from 'bun:test'
import { RefusalWindow } from './refusal-window.ts'

test('refusals are counted by code, the most frequent first, with the client that sent most', () => {
  const window = new RefusalWindow()
  for (let i = 0; i < 3; i++) window.add('room_paused', 'ann')
  for (let i = 0; i < 2; i++) window.add('rate_limited', 'ann')
  for (let i = 0; i < 5; i++) window.add('rate_limited', 'bob')
  expect(window.byCode()).toEqual([
    { code: 'rate_limited', count: 7, client_id: 'bob' },
    { code: 'room_paused', count: 3, client_id: 'ann' },
  ])
})

test('a refusal counts for 15 minutes, together with those of other minutes', () => {
  const window = new RefusalWindow()
  window.add('rate_limited', 'ann')
  window.add('rate_limited', 'ann')
  for (let minute = 0; minute < 14; minute++) window.moveOn()
  for (let i = 0; i < 3; i++) window.add('rate_limited', 'bob')
  expect(window.byCode()).toEqual([{ code: 'rate_limited', count: 5, client_id: 'bob' }])
  window.moveOn()
  expect(window.byCode()).toEqual([{ code: 'rate_limited', count: 3, client_id: 'bob' }])
  for (let minute = 0; minute < 15; minute++) window.moveOn()
  expect(window.byCode()).toEqual([])
})

test('the client with most refusals is found among a million that have one each', () => {
  const window = new RefusalWindow()
  for (let i = 0; i < 1_000_000; i++) window.add('invalid_json', i % 8 === 0 ? 'mallory' : `one-of-many-${i}`)
  expect(window.byCode()).toEqual([{ code: 'invalid_json', count: 1_000_000, client_id: 'mallory' }])
})
