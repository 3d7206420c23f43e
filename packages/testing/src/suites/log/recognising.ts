import { expect, test } from 'bun:test'
import type { Message } from './draft.ts'
import { plain } from './outline.ts'
import { type Stage, WINDOW_MS } from './stage.ts'
import { entryOf } from './watch.ts'

/** The same message sent again. */
export function recognising(stage: Stage) {
  test('a message sent again gets the first position and is neither kept nor announced again', async () => {
    const { open, append, read, events, clock } = await stage()
    const log = await open()
    const first = entryOf(await append(log, { id: 'arq_same', ack: true }))
    await append(log)
    clock.advance(1000)
    const again = await append(log, { id: 'arq_same', ack: true })
    expect(again).toMatchObject({ kind: 'duplicate', position: plain(first) })
    expect((await read(log)).entries.map(({ n }) => n)).toEqual([1, 2])
    expect(events.filter(({ kind }) => kind === 'appended')).toHaveLength(2)
    expect(entryOf(await append(log)).n).toBe(3)
  })

  test('a message sent again may differ in acknowledgement and tracing, but not in type, payload or metadata', async () => {
    const { open, append } = await stage()
    const log = await open()
    const send = (message: Message) => append(log, { id: 'arq_same', ack: true, ...message })
    await send({ metadata: { a: 1, b: 2 } })
    expect(
      (
        await send({
          metadata: {
            b: 2,
            a: 1,
            ack: 'memory',
            traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
          },
        })
      ).kind,
    ).toBe('duplicate')
    for (const other of [
      { metadata: { a: 1, b: 3 } },
      { metadata: { a: 1 } },
      { metadata: { a: 1, b: 2 }, payload: '{"x":1}' },
    ]) {
      const outcome = await send(other)
      expect(outcome.kind === 'refused' && outcome.error.code).toBe('id_conflict')
    }
  })

  test('another sender and another log have ids of their own', async () => {
    const { open, append } = await stage()
    const [log, other] = [await open('a:a'), await open('a:b')]
    await append(log, { id: 'arq_same', ack: true })
    expect((await append(log, { id: 'arq_same', ack: true, from: 'bob' })).kind).toBe('appended')
    expect((await append(other, { id: 'arq_same', ack: true })).kind).toBe('appended')
  })

  test('a message without `ack` is neither remembered nor compared with remembered ones', async () => {
    const { open, append } = await stage()
    const log = await open()
    const kinds: string[] = []
    for (const ack of [false, false, true, false, true]) kinds.push((await append(log, { id: 'arq_same', ack })).kind)
    expect(kinds).toEqual(['appended', 'appended', 'appended', 'appended', 'duplicate'])
  })

  test('the deduplication window follows the clock, for each message separately', async () => {
    const { driver, open, append, clock } = await stage()
    const log = await open()
    await append(log, { id: 'arq_first', ack: true })
    clock.advance(WINDOW_MS / 2)
    await append(log, { id: 'arq_second', ack: true })
    clock.advance(WINDOW_MS / 2)
    expect((await append(log, { id: 'arq_first', ack: true })).kind).toBe('duplicate')
    clock.advance(1)
    driver.sweep()
    expect((await append(log, { id: 'arq_first', ack: true, payload: '{"new":1}' })).kind).toBe('appended')
    expect((await append(log, { id: 'arq_second', ack: true })).kind).toBe('duplicate')
    clock.advance(WINDOW_MS + 1)
    driver.sweep()
    expect((await append(log, { id: 'arq_second', ack: true })).kind).toBe('appended')
  })

  test('a clock that is set back makes no id forgotten early', async () => {
    const { driver, open, append, clock } = await stage()
    const log = await open()
    await append(log, { id: 'arq_same', ack: true })
    clock.step(-3_600_000)
    driver.sweep()
    clock.advance(WINDOW_MS)
    expect((await append(log, { id: 'arq_same', ack: true })).kind).toBe('duplicate')
  })

  test('an id of a deleted log is unknown to its successor', async () => {
    const { open, append } = await stage()
    const log = await open()
    await append(log, { id: 'arq_same', ack: true })
    log.delete()
    expect((await append(await open(), { id: 'arq_same', ack: true, payload: '{"new":1}' })).kind).toBe('appended')
  })
}
