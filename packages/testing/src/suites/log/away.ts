import { expect, test } from 'bun:test'
import type { CodedError } from '@arqonbus/protocol'
import type { Entry } from '@arqonbus/server'
import { eventually } from '../../eventually.ts'
import { draftOf, type Message } from './draft.ts'
import { outline } from './outline.ts'
import { type Stage, turn } from './stage.ts'
import { announced, entryOf, isAppended, NO_LIMIT } from './watch.ts'

/** What a driver does while its store is away. */
export function whileAway(stage: Stage) {
  test('while the store is away, messages above memory are refused, and others are queued and appended in order', async () => {
    const { driver, open, append, store, events, read, settle } = await stage()
    const log = await open()
    await append(log)
    await store.leave()
    expect([driver.isAway, driver.durability()]).toEqual([true, 'memory'])
    const refused = await append(log, { stored: true })
    expect(refused.kind === 'refused' && [refused.error.code, refused.error.retryAfterMs! > 0]).toEqual([
      'storage_unavailable',
      true,
    ])
    const held = Array.from({ length: 300 }, (_, i) => draftOf({ id: `arq_h${i}`, ack: i % 2 === 0 }))
    for (const draft of held) log.append(draft)
    expect(events.slice(-300).map(({ kind, draft }) => [kind, draft])).toEqual(held.map((draft) => ['queued', draft]))
    expect(driver.usage().queuedMessages).toBe(300)
    expect(driver.usage().queuedBytes).toBeGreaterThan(300 * 100)
    await store.comeBack()
    await settle()
    await eventually(() => expect(announced(events)).toHaveLength(301))
    expect(
      events
        .filter(isAppended)
        .map(({ entry, draft }) => [entry.n, draft && idOf(entry)])
        .slice(1),
    ).toEqual(held.map((_, i) => [i + 2, undefined]))
    expect(
      events
        .filter(isAppended)
        .map(({ entry }) => idOf(entry))
        .slice(1),
    ).toEqual(held.map((_, i) => `arq_h${i}`))
    expect((await read(log)).entries).toHaveLength(100)
    expect([driver.isAway, driver.usage().queuedMessages, driver.usage().queuedBytes]).toEqual([false, 0, 0])
    expect(entryOf(await append(log)).n).toBe(302)
  })

  test('while the store is away, a message sent again is the queued one, and other content under its id is not', async () => {
    const { open, append, store, events, settle } = await stage()
    const log = await open()
    await store.leave()
    const send = (message: Message = {}) => append(log, { id: 'arq_same', ack: true, ...message })
    expect((await send()).kind).toBe('queued')
    expect(await send()).toMatchObject({ kind: 'duplicate', position: undefined })
    const other = await send({ payload: '{"other":1}' })
    expect(other.kind === 'refused' && other.error.code).toBe('id_conflict')
    await store.comeBack()
    await settle()
    await eventually(() => expect(announced(events)).toEqual([1]))
    expect(await send()).toMatchObject({ kind: 'duplicate', position: { n: 1 } })
  })

  test('while the store is away, an unknown log stays unavailable, and recent messages can be read', async () => {
    const { begin, open, fill, read, store, clock, events, append, settle } = await stage()
    const log = await open('a:a', { ttlMs: 1000 })
    await fill(log, 10)
    await store.leave()
    const other = begin('a:b')
    expect(other.lastDelivered.n).toBe(-1)
    expect(await codeOf(other.ready())).toBe('storage_unavailable')
    for (const asked of [log.read({ ...NO_LIMIT }), log.bounds(), log.locate(log.origin, undefined)]) {
      expect(await codeOf(asked)).toBe('storage_unavailable')
    }
    expect(outline(log.readAtHand({ ...NO_LIMIT }))).toEqual({
      entries: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
      hasMore: false,
      first: 1,
      last: 10,
    })
    expect(outline(log.readAtHand({ from: 'newest', limit: 2, maxBytes: 1e6 }))).toMatchObject({
      entries: [9, 10],
      hasMore: true,
    })
    expect(log.recent(8, 10, 1e6)!.map(({ n }) => n)).toEqual([9, 10])
    clock.advance(1000)
    expect(outline(log.readAtHand({ ...NO_LIMIT }))).toEqual({ entries: [], hasMore: false, first: 10, last: 10 })
    expect((await append(other)).kind).toBe('queued')
    await store.comeBack()
    await other.ready()
    await settle()
    await eventually(() => expect(announced(events, 'a:b')).toEqual([1]))
    expect(outline(await read(other))).toMatchObject({ entries: [1], last: 1 })
  })
}

/** What it does when the store has come back, with what it had, or without. */
export function afterAway(stage: Stage) {
  test('messages in flight when the store went away have an unknown outcome, are appended first, and their ids settle it', async () => {
    const { open, append, store, events, outcomeOf, driver, settle } = await stage()
    const log = await open()
    await append(log)
    store.stall()
    const sent = draftOf({ id: 'arq_sent', ack: true, stored: true })
    log.append(sent)
    await turn()
    await turn()
    await store.leave()
    const outcome = outcomeOf(sent)
    expect(outcome.kind === 'unknown' && outcome.error.code).toBe('outcome_unknown')
    const early = await append(log, { id: 'arq_sent', ack: true, stored: true })
    expect(early.kind === 'refused' && early.error.code).toBe('storage_unavailable')
    expect((await append(log, { id: 'arq_later' })).kind).toBe('queued')
    expect(driver.usage().queuedMessages).toBe(2)
    await store.comeBack()
    await settle()
    await eventually(() => expect(announced(events)).toEqual([1, 2, 3]))
    expect(events.filter(isAppended).map(({ entry }) => idOf(entry))).toEqual(['arq_1', 'arq_sent', 'arq_later'])
    expect(await append(log, { id: 'arq_sent', ack: true, stored: true })).toMatchObject({
      kind: 'duplicate',
      position: { n: 2 },
    })
  })

  test('a log deleted while the store was away is gone afterwards, and its successor begins later', async () => {
    const { begin, open, fill, store, read, append } = await stage()
    const old = await open()
    await fill(old, 3)
    await store.leave()
    old.delete()
    const log = begin()
    await store.comeBack()
    await log.ready()
    expect(log.origin.ms).toBeGreaterThan(old.lastDelivered.ms)
    expect(outline(await read(log))).toEqual({ entries: [], hasMore: false, first: 0, last: 0 })
    expect(entryOf(await append(log)).n).toBe(1)
  })

  test('a store that has forgotten everything is a gap of reason reset, announced before the next message', async () => {
    const { open, append, fill, store, events, answer } = await stage()
    const log = await open()
    await fill(log, 3)
    const { lastDelivered, origin } = log
    await store.leave()
    await store.comeBack()
    await store.forget()
    await append(log)
    await eventually(() =>
      expect(events.filter(({ kind }) => kind === 'gap')).toMatchObject([
        { gap: { reason: 'reset', after: lastDelivered } },
      ]),
    )
    await eventually(() => expect(announced(events).at(-1)).toBe(1))
    expect(log.origin.ms).toBeGreaterThan(origin.ms)
    expect(await answer(log.locate(lastDelivered, undefined))).toMatchObject({ recovered: false, reason: 'reset' })
  })
}

const idOf = ({ text }: Entry): string => (JSON.parse(text) as { id: string }).id

/** The code of the error with which something fails. */
const codeOf = async (asked: unknown): Promise<string | undefined> => {
  try {
    await asked
    return undefined
  } catch (problem) {
    return (problem as CodedError).code
  }
}
