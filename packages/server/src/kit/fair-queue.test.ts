import { expect, test } from 'bun:test'
import { drainMicrotasks } from '../sockets/microtasks.ts'
import { createFairQueue, type Pieces } from './fair-queue.ts'

/** Turns on a clock that work moves on, and what was done, in order. */
function workshop(workMs: number) {
  let now = 1000
  const clock = { monotonic: () => now }
  const turns = createFairQueue(clock)
  const done: number[] = []
  const work = (n: number) => () => {
    now += workMs
    done.push(n)
    return n
  }
  function* inPieces(n: number, pieces: number): Pieces<number> {
    for (let i = 0; i < pieces; i++) {
      work(n)()
      yield
    }
    return n
  }
  const advance = (ms: number) => {
    now += ms
  }
  return { turns, done, work, inPieces, clock, advance }
}

const nextTurn = () => new Promise((resolve) => setImmediate(resolve))

test('work that fits into the turn is done at once', () => {
  const { turns, work } = workshop(1)
  expect([turns.take(work(1)), turns.take(work(2))]).toEqual([1, 2])
})

test('work that does not fit is done in later turns, in the order requested', async () => {
  const { turns, done, work } = workshop(2)
  const asked = Array.from({ length: 10 }, (_, n) => turns.take(work(n)))
  const perTurn = [done.length]
  while (done.length < 10) {
    const before = done.length
    await nextTurn()
    perTurn.push(done.length - before)
  }
  expect(perTurn).toEqual([2, 2, 2, 2, 2])
  expect(done).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  expect(await Promise.all(asked)).toEqual(done)
})

test('work requested while other work waits runs after it, even if there is time', async () => {
  const { turns, done, work } = workshop(5)
  void turns.take(work(1))
  void turns.take(work(2))
  await nextTurn()
  void turns.take(work(3))
  const last = turns.take(work(4))
  await last
  expect(done).toEqual([1, 2, 3, 4])
})

test('work longer than a turn is done, and the next work has a turn of its own', async () => {
  const { turns, done, work } = workshop(50)
  const asked = [1, 2, 3].map((n) => turns.take(work(n)))
  await nextTurn()
  expect(done).toEqual([1, 2])
  await Promise.all(asked)
  expect(done).toEqual([1, 2, 3])
})

test('a failure reaches the one that requested the work, and other work continues', async () => {
  const { turns, work } = workshop(5)
  const fail = () => {
    throw new Error('no')
  }
  function* failInPieces(): Pieces<void> {
    yield
    fail()
  }
  expect(() => turns.take(fail)).toThrow('no')
  expect(() => turns.run(failInPieces)).toThrow('no')
  void turns.take(work(1))
  const failed = [turns.take(fail), turns.run(failInPieces)]
  const next = turns.take(work(2))
  expect((await Promise.allSettled(failed)).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  expect(await next).toBe(2)
})

test('work in pieces is done at once if there is time for all of it', () => {
  const { turns, inPieces } = workshop(1)
  expect(turns.run(() => inPieces(7, 2))).toBe(7)
})

test('long work in pieces yields after its share of a turn and continues where it was', async () => {
  const { turns, done, inPieces } = workshop(1)
  const long = turns.run(() => inPieces(7, 10))
  expect(done).toHaveLength(3)
  await nextTurn()
  expect(done).toHaveLength(6)
  expect(await long).toBe(7)
  expect(done).toHaveLength(10)
})

test('a long job delays a later short one by one slice, not by its length', async () => {
  const { turns, done, work, inPieces } = workshop(1)
  const long = turns.run(() => inPieces(7, 100))
  const short = turns.take(work(1))
  await short
  expect(done.indexOf(1)).toBeLessThanOrEqual(4)
  await long
})

test('long jobs finish one after another, with no more than the first slice of one done during another', async () => {
  const { turns, done, inPieces } = workshop(1)
  const jobs = [1, 2, 3].map((n) => turns.run(() => inPieces(n, 20)))
  await Promise.all(jobs)
  const before = (n: number, other: number) => done.slice(0, done.lastIndexOf(other)).filter((one) => one === n).length
  expect([before(2, 1), before(3, 1), before(3, 2)]).toEqual([1, 1, 1])
})

test('data sent by connections gets at least a third of the time, however many requests came before it', async () => {
  const { turns, done, work, inPieces } = workshop(1)
  const requests = [
    ...Array.from({ length: 50 }, () => turns.run(() => inPieces(1, 20))),
    ...Array.from({ length: 50 }, () => turns.take(work(2))),
  ]
  const before = done.length
  const sent = turns.takeSent(() => inPieces(3, 10))
  await Promise.all([...requests, sent])
  expect(done.lastIndexOf(3) - before).toBeLessThanOrEqual(3 * 10)
})

test('connections take turns of one slice each, whatever each has sent', async () => {
  const { turns, done, inPieces } = workshop(1)
  const much = turns.takeSent(() => inPieces(1, 100))
  await Promise.all([much, turns.takeSent(() => inPieces(2, 3))])
  expect(done.slice(0, 6)).toEqual([1, 2, 1, 2, 1, 2])
})

test('arriving data has as much time in a turn under load as without load', async () => {
  const { turns, inPieces, clock, advance } = workshop(1)
  void turns.run(() => inPieces(7, 100))
  expect(turns.hasTime(clock.monotonic())).toBe(false)
  await nextTurn()
  const taken = Array.from({ length: 4 }, () => {
    const hasTime = turns.hasTime(clock.monotonic())
    advance(1)
    return hasTime
  })
  expect(taken).toEqual([true, true, true, false])
})

test('arriving data has its share of a turn, and a little more if the start of the turn was not seen', async () => {
  const { turns, clock, advance } = workshop(1)
  const timeInTurn = () => {
    let passed = 0
    for (; turns.hasTime(clock.monotonic()); passed += 0.5) advance(0.5)
    return passed
  }
  expect(timeInTurn()).toBe(3)
  await nextTurn()
  advance(10)
  turns.hasTime(clock.monotonic())
  await nextTurn()
  // This turn begins right after the last one was seen.
  expect(timeInTurn()).toBe(4)
})

test('of arriving data each counts as a millisecond at most: more is a pause of the process', () => {
  const { turns, clock, advance } = workshop(1)
  const taken = Array.from({ length: 5 }, () => {
    const hasTime = turns.hasTime(clock.monotonic())
    if (hasTime) advance(20)
    return hasTime
  })
  expect(taken).toEqual([true, true, true, false, false])
})

test('data of a connection runs in a later turn, and what awaits a slice runs before the next slice', async () => {
  const done: string[] = []
  const turns = createFairQueue({ monotonic: () => 0 }, drainMicrotasks)
  const ask = async (name: string) => {
    await turns.takeSent(function* () {
      yield
      done.push(`work ${name}`)
    })
    done.push(`awaited ${name}`)
  }
  const asked = [ask('1'), ask('2')]
  expect(done).toEqual([])
  await Promise.all(asked)
  expect(done).toEqual(['work 1', 'awaited 1', 'work 2', 'awaited 2'])
})
