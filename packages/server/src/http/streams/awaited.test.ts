import { expect, test } from 'bun:test'
import type { Channel } from '../../state/model.ts'
import { createAwaited } from './awaited.ts'

const channel = (address: string) => ({ address }) as Channel

test('all that wait for a channel are notified once, and nothing else is', () => {
  const awaited = createAwaited()
  const heard: string[] = []
  for (const name of ['one', 'two']) awaited.wait('a:b', () => heard.push(name))
  awaited.wait('a:c', () => heard.push('another'))
  awaited.created(channel('a:b'))
  awaited.created(channel('a:b'))
  expect([heard, awaited.addresses()]).toEqual([['one', 'two'], ['a:c']])
})

test('a waiter that stops is not notified and leaves nothing behind', () => {
  const awaited = createAwaited()
  const stops = [awaited.wait('a:b', () => expect.unreachable()), awaited.wait('a:b', () => expect.unreachable())]
  for (const stop of stops) stop()
  awaited.created(channel('a:b'))
  expect(awaited.size).toBe(0)
})

test('a waiter that waits again while it is notified waits for the next channel', () => {
  const awaited = createAwaited()
  let times = 0
  const again = () => {
    times++
    awaited.wait('a:b', again)
  }
  awaited.wait('a:b', again)
  for (let n = 0; n < 3; n++) awaited.created(channel('a:b'))
  expect([times, awaited.size]).toEqual([3, 1])
})
