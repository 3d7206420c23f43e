import { expect, test } from 'bun:test'
import { positionText } from '@arqonbus/protocol'
import type { Entry } from '@arqonbus/server'
import { draftOf } from './draft.ts'
import type { Stage } from './stage.ts'
import { entryOf } from './watch.ts'

/** In which order drafts get their outcomes and positions, and how they are announced. */
export function order(stage: Stage) {
  test('every draft has exactly one outcome, with its own draft', async () => {
    const { open, events, settle } = await stage()
    const [log, other] = [await open('a:a'), await open('a:b')]
    const drafts = [
      draftOf({ id: 'arq_1', ack: true }),
      draftOf({ id: 'arq_1', ack: true }),
      draftOf({ id: 'arq_1', ack: true, payload: '{"other":1}' }),
      draftOf({ id: 'arq_2' }),
      draftOf({ id: 'arq_2' }),
    ]
    for (const draft of drafts) log.append(draft)
    const elsewhere = draftOf({ id: 'arq_1', ack: true })
    other.append(elsewhere)
    await settle()
    expect(events.map(({ kind, draft }) => [kind, draft])).toHaveLength(6)
    expect(drafts.map((draft) => events.filter((one) => one.draft === draft).map(({ kind }) => kind))).toEqual([
      ['appended'],
      ['duplicate'],
      ['refused'],
      ['appended'],
      ['appended'],
    ])
    expect(events.find(({ draft }) => draft === elsewhere)).toMatchObject({ kind: 'appended', subject: 'a:b' })
  })

  test('positions count from the origin of their log without gaps, each log for itself', async () => {
    const { open, append, clock } = await stage()
    const log = await open('a:a')
    clock.advance(5)
    const other = await open('a:b')
    expect([log.origin.n, other.origin.n, other.origin.ms - log.origin.ms]).toEqual([0, 0, 5])
    expect([log.lastDelivered, other.lastDelivered]).toEqual([log.origin, other.origin])
    expect(
      [entryOf(await append(log)), entryOf(await append(other)), entryOf(await append(log))].map(({ n }) => n),
    ).toEqual([1, 1, 2])
    expect([log.lastDelivered.n, other.lastDelivered.n]).toEqual([2, 1])
  })

  test('the time in positions never decreases, however the clock is set', async () => {
    const { open, append, clock } = await stage()
    const log = await open()
    const start = clock.now()
    const times: number[] = []
    for (const step of [0, 10, -7_200_000, 3, 7_300_000]) {
      clock.step(step)
      times.push(entryOf(await append(log)).ms - start)
    }
    expect(times).toEqual([0, 10, 10, 10, 100_013])
  })

  test('appended messages are announced in order and once, and the last delivered position follows', async () => {
    const { open, events, settle } = await stage()
    const [log, other] = [await open('a:a'), await open('a:b')]
    for (let i = 0; i < 20; i++) (i % 3 === 0 ? other : log).append(draftOf({ id: `arq_${i}` }))
    await settle()
    for (const subject of ['a:a', 'a:b']) {
      const announced = events
        .filter((one) => one.subject === subject)
        .map((one) => (one.kind === 'appended' ? one : undefined)!)
      expect(announced.map(({ entry }) => entry.n)).toEqual(announced.map((_, i) => i + 1))
      expect(announced.map(({ given }) => given.n)).toEqual(announced.map((_, i) => i + 1))
      expect(announced.map(({ given }) => given.ms)).toEqual(announced.map(({ entry }) => entry.ms))
    }
    expect(events).toHaveLength(20)
  })

  test('an entry is the envelope as delivered: with its position, its time and the payload as written', async () => {
    const { open, append } = await stage()
    const { entry } = (await append(await open(), {
      payload: '{"big":12345678901234567890, "b":1.0}',
      metadata: { mine: 1 },
    })) as { entry: Entry }
    expect(entry.text).toContain('"payload":{"big":12345678901234567890, "b":1.0}')
    const delivered = JSON.parse(entry.text)
    expect(delivered.metadata).toEqual({ mine: 1, position: positionText(entry) })
    expect(Date.parse(delivered.timestamp)).toBe(entry.ms)
  })
}
