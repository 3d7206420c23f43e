import { expect, test } from 'bun:test'
import type { Position } from '@arqonbus/protocol'
import { plain } from './outline.ts'
import type { Stage } from './stage.ts'
import { entryOf } from './watch.ts'

/** From which positions a client can go on, and what it is told where it cannot. */
export function recovering(stage: Stage) {
  /** A log of which 4 to 8 are left, and what `locate` says of it. */
  const setUp = async () => {
    const { open, append, answer, clock, told } = await stage()
    const log = await open('a:a', { size: 5 })
    for (let i = 1; i <= 8; i++) {
      clock.advance(10)
      await append(log, { id: `arq_m${i}` })
    }
    const at = (n: number): Position => entryOf(told[n - 1]!)
    const locate = (since: Position, id?: string) => answer(log.locate(since, id))
    return { log, at, locate, head: at(8) }
  }

  test('a client goes on from an entry that is still there', async () => {
    const { at, locate, head } = await setUp()
    expect(await locate(at(4))).toEqual({ recovered: true, missed: 4, head: plain(head) })
    expect(await locate(at(6), 'arq_m6')).toEqual({ recovered: true, missed: 2, head: plain(head) })
    expect(await locate(at(8), 'arq_m8')).toEqual({ recovered: true, missed: 0, head: plain(head) })
  })

  test('the time is a fingerprint and the id the proof', async () => {
    const { at, locate, head } = await setUp()
    const diverged = { recovered: false, reason: 'diverged', first: plain(at(4)), head: plain(head) } as const
    expect(await locate(at(6), 'arq_m5')).toEqual(diverged)
    expect(await locate({ ms: at(6).ms + 1, n: 6 })).toEqual(diverged)
    expect(await locate({ ms: head.ms, n: 9 })).toEqual(diverged)
    expect(await locate({ ms: head.ms + 5, n: 8 })).toEqual(diverged)
  })

  test('what is gone is told with where the log begins', async () => {
    const { log, at, locate, head } = await setUp()
    const lost = (reason: 'trimmed' | 'reset' | 'diverged') =>
      ({ recovered: false, reason, first: plain(at(4)), head: plain(head) }) as const
    expect(await locate(at(3))).toEqual(lost('trimmed'))
    expect(await locate(log.birth)).toEqual(lost('trimmed'))
    expect(await locate({ ms: log.birth.ms - 1, n: 2 })).toEqual(lost('reset'))
    expect(await locate({ ms: log.birth.ms + 1, n: 0 })).toEqual(lost('diverged'))
  })

  test('the birth is a position: from there on a client gets everything, while everything is there', async () => {
    const { open, append, answer, clock } = await stage()
    const log = await open('a:a', { ttlMs: 1000 })
    expect(await answer(log.locate(log.birth, undefined))).toEqual({ recovered: true, missed: 0, head: log.birth })
    const { ms } = entryOf(await append(log))
    expect(await answer(log.locate(log.birth, undefined))).toEqual({ recovered: true, missed: 1, head: { ms, n: 1 } })
    clock.advance(1001)
    expect(await answer(log.locate(log.birth, undefined))).toMatchObject({ recovered: false, reason: 'trimmed' })
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

  test('a log that comes after another of its name begins later: no position of the old one fits it', async () => {
    const { open, append, fill, answer, clock } = await stage()
    const old = await open()
    clock.advance(100)
    await fill(old, 3)
    const { given } = old
    old.delete()
    clock.step(-50)
    const log = await open()
    expect(log.birth.ms).toBeGreaterThan(given.ms)
    await append(log)
    await fill(log, 3)
    for (const since of [old.birth, given]) {
      expect(await answer(log.locate(since, undefined))).toMatchObject({ recovered: false, reason: 'reset' })
    }
  })
}
