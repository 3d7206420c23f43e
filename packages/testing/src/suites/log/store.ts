import { expect, test } from 'bun:test'
import { eventually } from '../../eventually.ts'
import { draftOf } from './draft.ts'
import { outline, plain } from './outline.ts'
import { type Stage, turn } from './stage.ts'
import { announced, entryOf, isAppended, watchLog } from './watch.ts'

/** What only a driver keeps whose messages are in a store: logs outlive the node, and nodes share them. */
export function inTheStore(stage: Stage) {
  test('a log that is closed and opened again continues where it was', async () => {
    const { open, append, fill, read, events } = await stage()
    const old = await open()
    await fill(old, 3)
    await append(old, { id: 'arq_same', ack: true })
    old.close()
    const late = await append(old)
    expect(late.kind === 'refused' && late.error.code).toBe('channel_not_found')
    const log = await open()
    expect([log.origin, log.attachedAt, log.lastDelivered]).toEqual([old.origin, old.lastDelivered, old.lastDelivered])
    expect(outline(await read(log))).toEqual({ entries: [1, 2, 3, 4], hasMore: false, first: 1, last: 4 })
    expect((await append(log, { id: 'arq_same', ack: true })).kind).toBe('duplicate')
    expect(entryOf(await append(log)).n).toBe(5)
    expect(announced(events)).toEqual([1, 2, 3, 4, 5])
  })

  test('two nodes get every message in order and once, even while both append', async () => {
    const one = await stage()
    const other = watchLog(await one.store.neighbour())
    const logs = [await one.open(), await other.open()] as const
    const drafts = Array.from({ length: 400 }, (_, i) => draftOf({ id: `arq_${i}`, from: i % 2 === 0 ? 'ann' : 'bob' }))
    for (const [i, draft] of drafts.entries()) {
      logs[i % 2]!.append(draft)
      if (i % 7 === 0) await turn()
    }
    await Promise.all([one.settle(), other.settle()])
    await eventually(() => expect([announced(one.events).length, announced(other.events).length]).toEqual([400, 400]))
    expect(announced(one.events)).toEqual(drafts.map((_, i) => i + 1))
    expect(one.events.filter(isAppended).map(({ entry }) => entry)).toEqual(
      other.events.filter(isAppended).map(({ entry }) => entry),
    )
    for (const [i, draft] of drafts.entries()) {
      const [own, foreign] = i % 2 === 0 ? [one, other] : [other, one]
      expect(own.outcomeOf(draft).kind).toMatch(/appended|confirmed/)
      expect(foreign.events.some((one) => one.draft === draft)).toBe(false)
    }
    const ids = one.events.filter(isAppended).map(({ entry }) => JSON.parse(entry.text) as { id: string; from: string })
    for (const from of ['ann', 'bob']) {
      const own = ids.filter((envelope) => envelope.from === from).map(({ id }) => Number(id.slice(4)))
      expect(own).toEqual(own.toSorted((a, b) => a - b))
    }
  })

  test('a message that one node has accepted is recognised by another', async () => {
    const one = await stage()
    const other = watchLog(await one.store.neighbour())
    const first = entryOf(await one.append(await one.open(), { id: 'arq_same', ack: true }))
    const again = await other.append(await other.open(), { id: 'arq_same', ack: true })
    expect(again).toMatchObject({ kind: 'duplicate', position: plain(first) })
  })
}
