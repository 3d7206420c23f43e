import { expect, test } from 'bun:test'
import type { Channel } from '../../state/model.ts'
import { createAwaited } from './awaited.ts'

const channel = (address: string) => ({ address }) as Channel

test('all who wait for a channel hear of it once, and nobody else does', () => {
  const awaited = createAwaited()
  const heard: string[] = []
  for (const name of ['one', 'two']) awaited.wait('a:b', () => heard.push(name))
  awaited.wait('a:c', () => heard.push('another'))
  awaited.created(channel('a:b'))
  awaited.created(channel('a:b'))
  expect([heard, awaited.addresses()]).toEqual([['one', 'two'], ['a:c']])
})

test('one that stops waiting hears nothing, and leaves nothing behind', () => {
  const awaited = createAwaited()
  const stops = [awaited.wait('a:b', () => expect.unreachable()), awaited.wait('a:b', () => expect.unreachable())]
  for (const stop of stops) stop()
  awaited.created(channel('a:b'))
  expect(awaited.size).toBe(0)
})

test('one that waits again while it hears of a channel waits for the next one', () => {
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
