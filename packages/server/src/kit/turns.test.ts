import { expect, test } from 'bun:test'
import { createTurns } from './turns.ts'

/** Turns on a clock that work moves on, and what was done in each turn of the loop. */
function workshop(workMs: number) {
  let now = 1000
  const turns = createTurns({ now: () => now })
  const done: number[] = []
  const work = (n: number) => () => {
    now += workMs
    done.push(n)
    return n
  }
  return { turns, done, work }
}

const nextTurn = () => new Promise((resolve) => setImmediate(resolve))

test('what there is time for is done at once', () => {
  const { turns, work } = workshop(1)
  expect([turns.take(work(1)), turns.take(work(2))]).toEqual([1, 2])
})

test('what there is no time for is done in later turns, in the order asked', async () => {
  const { turns, done, work } = workshop(2)
  const asked = Array.from({ length: 10 }, (_, n) => turns.take(work(n)))
  const perTurn = [done.length]
  while (done.length < 10) {
    const before = done.length
    await nextTurn()
    perTurn.push(done.length - before)
  }
  expect(perTurn).toEqual([3, 3, 3, 1])
  expect(done).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  expect(await Promise.all(asked)).toEqual(done)
})

test('what is asked while others wait waits behind them, whatever time there is', async () => {
  const { turns, done, work } = workshop(5)
  void turns.take(work(1))
  void turns.take(work(2))
  await nextTurn()
  void turns.take(work(3))
  const last = turns.take(work(4))
  await last
  expect(done).toEqual([1, 2, 3, 4])
})

test('a piece that takes longer than a turn is done all the same, and the next one has a turn of its own', async () => {
  const { turns, done, work } = workshop(50)
  const asked = [1, 2, 3].map((n) => turns.take(work(n)))
  await nextTurn()
  expect(done).toEqual([1, 2])
  await Promise.all(asked)
  expect(done).toEqual([1, 2, 3])
})

test('what fails fails for whoever asked, at once or later, and the others go on', async () => {
  const { turns, work } = workshop(5)
  const fail = () => {
    throw new Error('no')
  }
  expect(() => turns.take(fail)).toThrow('no')
  void turns.take(work(1))
  const failed = turns.take(fail)
  const next = turns.take(work(2))
  await expect(failed).rejects.toThrow('no')
  expect(await next).toBe(2)
})

test('a line that is too long already is not made longer', () => {
  const { turns, work } = workshop(5)
  void turns.take(work(0))
  const waiting = Array.from({ length: 4096 }, (_, n) => turns.take(work(n)))
  expect(waiting.every((one) => one instanceof Promise)).toBe(true)
  expect(turns.take(work(7))).toBe(7)
})
