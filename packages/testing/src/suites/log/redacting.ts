import { expect, test } from 'bun:test'
import { eventually } from '../../eventually.ts'
import { outline } from './outline.ts'
import type { Stage } from './stage.ts'
import { entryOf, watchLog } from './watch.ts'

/** Messages that are deleted: a tombstone stays. */
export function redacting(stage: Stage) {
  test('a deleted message is read as its tombstone, at its position, whatever is asked for', async () => {
    const { open, fill, read, redact, events } = await stage()
    const log = await open()
    await fill(log, 5, { payload: '{"secret":"word"}', metadata: { note: 'word' } })
    const before = events.length
    expect(await redact(log, 3)).toBe(true)
    const tombstone = (await read(log)).entries[2]!
    const { id, from, payload, metadata } = JSON.parse(tombstone.text)
    const original = JSON.parse(entryOf(events[2]!).text)
    expect({ id, from, payload, metadata }).toEqual({
      id: original.id,
      from: original.from,
      payload: {},
      metadata: { arq_deleted: true, position: original.metadata.position },
    })
    expect(JSON.parse(tombstone.text).timestamp).toBe(original.timestamp)
    expect((await read(log, { after: 2, limit: 1 })).entries).toEqual([tombstone])
    expect((await read(log, { before: 4, limit: 1 })).entries).toEqual([tombstone])
    expect(log.recent(2, 1, 1e6)).toEqual([tombstone])
    expect(log.readAtHand({ from: 'oldest', limit: 10, maxBytes: 1e6 }).entries[2]).toEqual(tombstone)
    expect(outline(await read(log))).toEqual({ entries: [1, 2, 3, 4, 5], hasMore: false, first: 1, last: 5 })
    const { ms, n } = entryOf(events[2]!)
    expect(events.slice(before).map(({ kind }) => kind)).toEqual(['redacted'])
    expect(events.at(-1)).toMatchObject({ subject: 'science:general', position: { ms, n }, tombstone })
  })

  test('deleting a message a second time changes nothing and reports nothing', async () => {
    const { open, fill, redact, events } = await stage()
    const log = await open()
    await fill(log, 2)
    await redact(log, 1)
    const before = events.length
    expect(await redact(log, 1)).toBe(true)
    expect(events).toHaveLength(before)
  })

  test('a message that is not kept cannot be deleted', async () => {
    const { open, fill, read, redact, events, answer } = await stage()
    const log = await open('a:a', { size: 3 })
    await fill(log, 5)
    const before = events.length
    expect(await redact(log, 2)).toBe(false)
    expect(await redact(log, 9)).toBe(false)
    expect(await answer(log.redact({ ms: 1, n: 4 }))).toBe(false)
    expect(events).toHaveLength(before)
    expect((await read(log)).entries.map(({ text }) => text.includes('arq_deleted'))).toEqual([false, false, false])
  })
}

/** What only a driver keeps whose messages are in a store: all nodes give the tombstone. */
export function redactingInTheStore(stage: Stage) {
  test('a message that one node deletes is a tombstone on all nodes, each of which reports it once', async () => {
    const one = await stage()
    const other = watchLog(await one.store.neighbour())
    const [own, foreign] = [await one.open(), await other.open()]
    await one.fill(own, 3)
    await eventually(() => expect(other.events).toHaveLength(3))
    expect(await one.redact(own, 2)).toBe(true)
    const reported = ({ events }: typeof one | typeof other) => events.filter(({ kind }) => kind === 'redacted')
    await eventually(() => expect(reported(other)).toHaveLength(1))
    expect(foreign.recent(1, 1, 1e6)![0]!.text).toContain('"arq_deleted":true')
    expect((await other.read(foreign)).entries).toEqual([...(await one.read(own)).entries])
    // Its own announcement has arrived by the time that another message has.
    await one.fill(own, 1)
    await eventually(() => expect(other.events).toHaveLength(5))
    expect(reported(one)).toHaveLength(1)
  })

  test('a tombstone outlives the node', async () => {
    const { open, fill, redact, read } = await stage()
    const old = await open()
    await fill(old, 3)
    await redact(old, 1)
    old.close()
    const { entries } = await read(await open())
    expect(entries.map(({ text }) => text.includes('"arq_deleted":true'))).toEqual([true, false, false])
  })
}
