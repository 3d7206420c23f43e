import { expect, test } from 'bun:test'
import type { Position } from '@arqonbus/protocol'
import { plain } from './outline.ts'
import type { Stage } from './stage.ts'
import type { Keeps } from './under-test.ts'
import { entryOf } from './watch.ts'

/** From which positions a client can go on, and where it goes on if it cannot. */
export function recovering(stage: Stage, keeps: Keeps) {
  afterTheEnd(stage)
  /** A log of which 4 to 8 are left, and what `locate` says of it. */
  const setUp = async () => {
    const { open, append, answer, clock, events } = await stage()
    const log = await open('a:a', { size: 5 })
    for (let i = 1; i <= 8; i++) {
      clock.advance(10)
      await append(log, { id: `arq_m${i}` })
    }
    const at = (n: number): Position => entryOf(events[n - 1]!)
    const locate = (since: Position, id?: string) => answer(log.locate(since, id))
    return { log, at, locate, head: at(8) }
  }

  test('a client recovers from an entry that is still kept', async () => {
    const { at, locate, head } = await setUp()
    expect(await locate(at(4))).toEqual({ recovered: true, missed: 4, head: plain(head) })
    expect(await locate(at(6), 'arq_m6')).toEqual({ recovered: true, missed: 2, head: plain(head) })
    expect(await locate(at(8), 'arq_m8')).toEqual({ recovered: true, missed: 0, head: plain(head) })
  })

  test('a client that lacks only kept messages recovers, although its own last message is no longer kept', async () => {
    const { at, locate, head } = await setUp()
    for (const id of [undefined, 'arq_m3'])
      expect(await locate(at(3), id)).toEqual({ recovered: true, missed: 5, head: plain(head) })
  })

  test('a client whose last message has expired recovers if all later ones are kept', async () => {
    const { open, append, answer, clock } = await stage()
    const log = await open('a:a', { ttlMs: 1000 })
    const first = entryOf(await append(log))
    clock.advance(1)
    const second = entryOf(await append(log))
    clock.advance(500)
    const head = entryOf(await append(log))
    clock.advance(600)
    expect(await answer(log.locate(plain(first), undefined))).toMatchObject({ recovered: false, reason: 'trimmed' })
    expect(await answer(log.locate(plain(second), undefined))).toEqual({
      recovered: true,
      missed: 1,
      head: plain(head),
    })
  })

  test('a position with another time or id is `diverged`, and everything is delivered again', async () => {
    const { at, locate, head } = await setUp()
    const diverged = { recovered: false, reason: 'diverged', first: plain(at(4)), head: plain(head) } as const
    const base = { n: 3 }
    expect(await locate(at(6), 'arq_m5')).toMatchObject({ ...diverged, base })
    expect(await locate({ ms: at(6).ms + 1, n: 6 })).toMatchObject({ ...diverged, base })
    expect(await locate({ ms: head.ms, n: 9 })).toMatchObject({ ...diverged, base })
    expect(await locate({ ms: head.ms + 5, n: 8 })).toMatchObject({ ...diverged, base })
    expect(await locate({ ms: at(4).ms + 1, n: 2 })).toMatchObject({ ...diverged, base })
  })

  test('the last removed message is recognised by its time, and in a store by its id too', async () => {
    const { at, locate } = await setUp()
    const diverged = { recovered: false, reason: 'diverged' }
    expect(await locate({ ms: at(3).ms + 1, n: 3 })).toMatchObject(diverged)
    expect(await locate(at(3), 'arq_other')).toMatchObject(keeps === 'store' ? diverged : { recovered: true })
  })

  test('a removed position returns the start of the log and the base that all kept messages follow', async () => {
    const { log, at, locate, head } = await setUp()
    const lost = (reason: 'trimmed' | 'reset' | 'diverged') =>
      ({ recovered: false, reason, first: plain(at(4)), head: plain(head), base: { n: 3 } }) as const
    expect(await locate(at(2))).toMatchObject(lost('trimmed'))
    expect(await locate(log.origin)).toMatchObject(lost('trimmed'))
    expect(await locate({ ms: log.origin.ms - 1, n: 2 })).toMatchObject(lost('reset'))
    expect(await locate({ ms: log.origin.ms + 1, n: 0 })).toMatchObject(lost('diverged'))
  })

  test('the base is a position from which a client that is cut before the first message can recover', async () => {
    const { at, locate, head } = await setUp()
    const lost = await locate(at(1))
    if (lost.recovered) throw new Error('recovered')
    expect(await locate(lost.base)).toEqual({ recovered: true, missed: 5, head: plain(head) })
    // Who finds a hole by itself knows the time of the message behind it, and not that of the one before.
    expect(await locate({ ms: at(4).ms, n: 3 })).toEqual({ recovered: true, missed: 5, head: plain(head) })
  })

  test('the origin is a position from which a client gets everything, as long as everything is kept', async () => {
    const { open, append, answer, clock } = await stage()
    const log = await open('a:a', { ttlMs: 1000 })
    expect(await answer(log.locate(log.origin, undefined))).toEqual({ recovered: true, missed: 0, head: log.origin })
    const { ms } = entryOf(await append(log))
    expect(await answer(log.locate(log.origin, undefined))).toEqual({ recovered: true, missed: 1, head: { ms, n: 1 } })
    clock.advance(1001)
    expect(await answer(log.locate(log.origin, undefined))).toEqual({
      recovered: false,
      reason: 'trimmed',
      first: { ms, n: 1 },
      head: { ms, n: 1 },
      base: { ms, n: 1 },
    })
    expect(await answer(log.locate({ ms, n: 1 }, undefined))).toEqual({
      recovered: true,
      missed: 0,
      head: { ms, n: 1 },
    })
    expect(await answer(log.locate({ ms: ms + 1, n: 1 }, undefined))).toMatchObject({
      recovered: false,
      reason: 'diverged',
    })
  })
}

/** What is known of a log that was deleted, or closed, when the next one of its name has begun. */
function afterTheEnd(stage: Stage) {
  test('a successor of a deleted log begins later, so that no position of the old one fits it', async () => {
    const { open, append, fill, answer, clock } = await stage()
    const old = await open()
    clock.advance(100)
    await fill(old, 3)
    const { lastDelivered } = old
    old.delete()
    clock.step(-50)
    const log = await open()
    expect(log.origin.ms).toBeGreaterThan(lastDelivered.ms)
    await append(log)
    await fill(log, 3)
    for (const since of [old.origin, lastDelivered]) {
      expect(await answer(log.locate(since, undefined))).toMatchObject({
        recovered: false,
        reason: 'reset',
        base: log.origin,
      })
    }
  })

  test('a closed log continues where it was: with its numbers, its origin and its remembered ids', async () => {
    const { open, append, fill, answer, clock, driver } = await stage()
    const old = await open('a:a', { ttlMs: 1000 })
    await fill(old, 2)
    await append(old, { id: 'arq_same', ack: true })
    const { origin, lastDelivered } = old
    clock.advance(1000)
    old.close()
    expect(await answer(driver.closed('a:a'))).toEqual({ head: lastDelivered, former: undefined })
    const log = await open('a:a', { ttlMs: 1000 })
    expect([log.origin, log.attachedAt, log.lastDelivered]).toEqual([origin, lastDelivered, lastDelivered])
    expect(await answer(log.bounds())).toEqual({ first: lastDelivered, last: lastDelivered })
    expect((await append(log, { id: 'arq_same', ack: true })).kind).toBe('duplicate')
    expect(entryOf(await append(log)).n).toBe(4)
    expect(await answer(log.locate(lastDelivered, undefined))).toMatchObject({ recovered: true, missed: 1 })
    expect(await answer(log.locate(origin, undefined))).toMatchObject({
      recovered: false,
      reason: 'trimmed',
      base: { n: 3 },
    })
  })

  test('a log that is not open is known by where it ended, or where its predecessor did', async () => {
    const { open, fill, answer, driver, settle } = await stage()
    expect(await answer(driver.closed('a:never'))).toBeUndefined()
    const log = await open('a:deleted')
    await fill(log, 2)
    log.delete()
    await settle()
    expect((await answer(driver.closed('a:deleted')))?.former).toEqual(log.lastDelivered)
    const next = await open('a:deleted')
    await fill(next, 1)
    next.close()
    expect(await answer(driver.closed('a:deleted'))).toEqual({ head: next.lastDelivered, former: log.lastDelivered })
  })

  test('a client that had everything of a deleted log has missed nothing, and lacks the whole successor', async () => {
    const { open, fill, answer } = await stage()
    const old = await open('a:a', { size: 3 })
    await fill(old, 2)
    const { lastDelivered } = old
    old.delete()
    const log = await open('a:a', { size: 3 })
    await fill(log, 2)
    const complete = { recovered: false, reason: 'reset', base: log.origin, isComplete: true }
    expect(await answer(log.locate(lastDelivered, undefined))).toMatchObject(complete)
    expect(await answer(log.locate({ ms: lastDelivered.ms, n: 1 }, undefined))).not.toHaveProperty('isComplete')
    expect(await answer(log.locate(old.origin, undefined))).not.toHaveProperty('isComplete')
    await fill(log, 2)
    expect(await answer(log.locate(lastDelivered, undefined))).not.toHaveProperty('isComplete')
  })

  test('a log without any message is the same log after it was deleted or closed', async () => {
    const { open, append, answer, clock } = await stage()
    const first = await open()
    clock.advance(10)
    first.delete()
    const second = await open()
    clock.advance(10)
    second.close()
    const log = await open()
    expect([second.origin, log.origin]).toEqual([first.origin, first.origin])
    await append(log)
    expect(await answer(log.locate(first.origin, undefined))).toMatchObject({ recovered: true, missed: 1 })
  })
}
