import { expect, test } from 'bun:test'
import type { Entry } from '@arqonbus/server'
import { outline } from './outline.ts'
import type { Stage } from './stage.ts'
import { entryOf } from './watch.ts'

/** Pages of a log, and what is at hand of it. */
export function reading(stage: Stage) {
  test('`after` returns the next messages, oldest first, and whether there are more', async () => {
    const { open, fill, read } = await stage()
    const log = await open()
    await fill(log, 10)
    expect(outline(await read(log, { after: 0, limit: 4 }))).toEqual({
      entries: [1, 2, 3, 4],
      hasMore: true,
      first: 1,
      last: 10,
    })
    expect(outline(await read(log, { after: 6, limit: 4 }))).toEqual({
      entries: [7, 8, 9, 10],
      hasMore: false,
      first: 1,
      last: 10,
    })
    expect(outline(await read(log, { after: 10 }))).toEqual({ entries: [], hasMore: false, first: 1, last: 10 })
    expect(outline(await read(log, { after: 99 }))).toEqual({ entries: [], hasMore: false, first: 1, last: 10 })
  })

  test('reading returns what was announced', async () => {
    const { open, fill, read, events } = await stage()
    const log = await open()
    await fill(log, 5)
    expect((await read(log)).entries).toEqual(events.map(entryOf))
  })

  test('a payload is read as it was written, whatever it contains', async () => {
    const { open, append, read, events } = await stage()
    const log = await open()
    const payloads = [
      '{"n":1.0,"e":1E+2}',
      '{"t":"Grüße, 星, \u{1f680}"}',
      '{"t":"\u2028\u2029\u007f\u0085"}',
      '{ "t" :\t[1,\r\n2] }',
      String.raw`{"t":"\u001e\u001f\u0000\n\\\" \ud83d"}`,
      `{"t":"${'long '.repeat(20_000)}"}`,
    ]
    for (const payload of payloads) await append(log, { payload, ack: true, metadata: { 'Schlüssel 星': '\u001e' } })
    const { entries } = await read(log)
    expect(entries).toEqual(events.map(entryOf))
    for (const [i, { text }] of entries.entries()) expect(text).toContain(`"payload":${payloads[i]},"metadata"`)
  })

  test('`after` a removed position returns what is left, and the numbers show the gap', async () => {
    const { open, fill, read } = await stage()
    const log = await open('a:a', { size: 3 })
    await fill(log, 10)
    expect(outline(await read(log, { after: 2 }))).toEqual({ entries: [8, 9, 10], hasMore: false, first: 8, last: 10 })
  })

  test('`before` returns the last messages before it, oldest first', async () => {
    const { open, fill, read } = await stage()
    const log = await open('a:a', { size: 8 })
    await fill(log, 10)
    expect(outline(await read(log, { before: 8, limit: 3 }))).toEqual({
      entries: [5, 6, 7],
      hasMore: true,
      first: 3,
      last: 10,
    })
    expect(outline(await read(log, { before: 5, limit: 3 }))).toEqual({
      entries: [3, 4],
      hasMore: false,
      first: 3,
      last: 10,
    })
    expect(outline(await read(log, { before: 3 }))).toEqual({ entries: [], hasMore: false, first: 3, last: 10 })
    expect(outline(await read(log, { before: 1 }))).toEqual({ entries: [], hasMore: false, first: 3, last: 10 })
    expect(outline(await read(log, { before: 99, limit: 2 }))).toEqual({
      entries: [9, 10],
      hasMore: true,
      first: 3,
      last: 10,
    })
  })

  test('without `after` and `before` a page starts at the oldest message or ends at the newest', async () => {
    const { open, fill, read } = await stage()
    const log = await open()
    await fill(log, 6)
    expect(outline(await read(log, { limit: 2 }))).toMatchObject({ entries: [1, 2], hasMore: true })
    expect(outline(await read(log, { from: 'oldest', limit: 2 }))).toMatchObject({ entries: [1, 2], hasMore: true })
    expect(outline(await read(log, { from: 'newest', limit: 2 }))).toMatchObject({ entries: [5, 6], hasMore: true })
    expect(outline(await read(log, { from: 'newest' }))).toMatchObject({ entries: [1, 2, 3, 4, 5, 6], hasMore: false })
  })

  test('a page ends below its byte limit but has at least one message', async () => {
    const { open, fill, read } = await stage()
    const log = await open()
    await fill(log, 5, { payload: `{"text":"${'x'.repeat(1000)}"}` })
    expect(outline(await read(log, { after: 1, maxBytes: 2900 }))).toMatchObject({ entries: [2, 3], hasMore: true })
    expect(outline(await read(log, { before: 5, maxBytes: 2900 }))).toMatchObject({ entries: [3, 4], hasMore: true })
    expect(outline(await read(log, { from: 'newest', maxBytes: 10 }))).toMatchObject({ entries: [5], hasMore: true })
    expect(outline(await read(log, { after: 1, maxBytes: 10 }))).toMatchObject({ entries: [2], hasMore: true })
  })

  test('`recent` returns the next messages without a gap, or says that they are not in memory', async () => {
    const { open, fill } = await stage()
    const log = await open('a:a', { size: 8 })
    await fill(log, 20)
    expect(log.recent(20, 256, 1e6)).toEqual([])
    expect(log.recent(11, 256, 1e6)).toBeUndefined()
    const entries = log.recent(17, 256, 1e6)!
    expect(entries.map(({ n }) => n)).toEqual([18, 19, 20])
    expect(log.recent(17, 2, 1e6)!.map(({ n }) => n)).toEqual([18, 19])
    expect(log.recent(17, 256, 10)!.map(({ n }) => n)).toEqual([18])
  })

  test('`recent` and `read` return the same messages', async () => {
    const { open, fill, read } = await stage()
    const log = await open()
    await fill(log, 20)
    expect(log.recent(17, 256, 1e6)!).toEqual((await read(log, { after: 17 })).entries as Entry[])
  })
}
