import { expect, test } from 'bun:test'
import { outline, plain } from './outline.ts'
import type { Stage } from './stage.ts'
import type { Keeps } from './under-test.ts'
import { entryOf } from './watch.ts'

/** How many messages are kept, and for how long. */
export function keeping(stage: Stage, keeps: Keeps) {
  test('a log keeps no more messages than its size', async () => {
    const { open, fill, read, expired, driver } = await stage()
    const log = await open('a:a', { size: 3 })
    await fill(log, 10)
    expect(outline(await read(log))).toEqual({ entries: [8, 9, 10], hasMore: false, first: 8, last: 10 })
    // A store has one more, which nobody reads: it proves to a client that has everything up to there that it has
    // missed nothing.
    expect([expired.length, driver.usage().messages]).toEqual([keeps === 'store' ? 6 : 7, 3])
  })

  test('a log of size 0 numbers and announces its messages and keeps none', async () => {
    const { open, fill, read, answer, append, driver, expired } = await stage()
    const log = await open('a:a', { size: 0 })
    await fill(log, 3)
    expect(outline(await read(log))).toEqual({ entries: [], hasMore: false, first: 3, last: 3 })
    expect(outline(await read(log, { from: 'newest' }))).toEqual({ entries: [], hasMore: false, first: 3, last: 3 })
    expect(await answer(log.locate(log.lastDelivered, undefined))).toMatchObject({ recovered: true, missed: 0 })
    expect(await answer(log.locate(log.origin, undefined))).toMatchObject({ recovered: false, reason: 'trimmed' })
    expect(entryOf(await append(log)).n).toBe(4)
    expect([log.isEmpty(), driver.usage().messages, driver.usage().bytes, expired.length]).toEqual([true, 0, 0, 4])
  })

  test('a message is removed when its retention is over, by a read or by a sweep', async () => {
    const { open, append, read, clock, driver, expired } = await stage()
    const [log, other] = [await open('a:a', { ttlMs: 1000 }), await open('a:b', { ttlMs: 5000 })]
    await append(log)
    await append(other)
    clock.advance(600)
    await append(log)
    clock.advance(399)
    expect(outline(await read(log))).toMatchObject({ entries: [1, 2] })
    clock.advance(1)
    expect(outline(await read(log))).toEqual({ entries: [2], hasMore: false, first: 2, last: 2 })
    clock.advance(600)
    driver.sweep()
    expect([log.isEmpty(), other.isEmpty()]).toEqual([true, false])
    expect(outline(await read(log))).toEqual({ entries: [], hasMore: false, first: 2, last: 2 })
    expect(entryOf(await append(log)).n).toBe(3)
    expect(outline(await read(log))).toEqual({ entries: [3], hasMore: false, first: 3, last: 3 })
    expect(expired.age).toBe(2)
  })

  test('the bounds of an empty log are its origin, and its head once all messages have gone', async () => {
    const { open, append, answer, clock } = await stage()
    const log = await open('a:a', { ttlMs: 1000 })
    expect(log.isEmpty()).toBe(true)
    expect(await answer(log.bounds())).toEqual({ first: log.origin, last: log.origin })
    const head = plain(entryOf(await append(log)))
    expect(await answer(log.bounds())).toEqual({ first: head, last: head })
    clock.advance(1000)
    expect(await answer(log.bounds())).toEqual({ first: head, last: head })
    expect(log.isEmpty()).toBe(true)
  })
}
