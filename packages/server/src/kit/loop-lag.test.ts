import { expect, test } from 'bun:test'
import { watchLoopLag } from './loop-lag.ts'

test('a loop that is held reports how late it is', async () => {
  const times = [0, 350]
  const { promise, resolve } = Promise.withResolvers<number>()
  const stop = watchLoopLag(resolve, () => times.shift() ?? 0)
  expect(await promise).toBe(0.25)
  stop()
})
