import { describe, expect, test } from 'bun:test'
import type { Message } from '@arqonbus/client'
import { isOpenable, type JsonNode, rootOf, rowsOf, showMore, toggle, valueText } from '../page/json/nodes.ts'
import { preview } from '../page/json/preview.ts'
import { readingOf } from '../page/json/reading.ts'
import { makeRoom } from '../page/kit/make-room.ts'
import { pathOf, roundUp } from '../page/kit/plot.ts'
import { createRates } from '../page/kit/rates.ts'
import { createRing } from '../page/kit/ring.ts'
import { bytes, duration, short } from '../page/kit/text.ts'
import { actionOfKey } from '../page/list/keyboard.ts'
import { equalRows, measuredRows, renderedRange, topToShow } from '../page/list/rows.ts'
import { draftOf } from '../page/state/draft.ts'
import { draftFor, edit } from '../page/state/drafts.ts'
import { fieldsOf, fill } from '../page/state/form.ts'
import { type Line, lineOf, mergeLines, noticeOf } from '../page/state/lines.ts'
import { sentenceOf } from '../page/state/sentences.ts'
import { wire } from '../page/wire.ts'

const DEPTH = 10_000
/** A value that is nested deeper than recursion can go. */
function deepValue(): unknown {
  let value: unknown = 'the bottom'
  for (let level = 0; level < DEPTH; level++) value = level % 2 === 0 ? { a: value } : [value]
  return value
}

describe('a value in one line', () => {
  test('a preview of a value is cut at the requested length', () => {
    expect(preview({ text: 'hello', list: [1, null, true, { b: {} }] })).toBe(
      '{ text: "hello", list: [1, null, true, { b: {} }] }',
    )
    const huge = { text: 'x'.repeat(256 * 1024), more: Array.from({ length: 100_000 }, () => 1) }
    for (const value of [huge, deepValue(), { ['k'.repeat(100_000)]: 1 }, 'x'.repeat(1_000_000)]) {
      expect(preview(value, 100).length).toBeLessThanOrEqual(101)
    }
  })
})

describe('a payload as a line of a conversation', () => {
  test('its text is the first field that holds one, and its other fields are short values', () => {
    expect(readingOf({ kind: 'note', text: 'hello', size: 3, list: [1, 2] })).toEqual({
      text: 'hello',
      cut: 0,
      fields: [
        { name: 'kind', value: 'note' },
        { name: 'size', value: '3' },
        { name: 'list', value: '[1, 2]' },
      ],
      more: 0,
    })
    expect(readingOf({ message: 'a', content: 'b' }).text).toBe('a')
    expect(readingOf({ text: '', value: 1 }).text).toBeUndefined()
    expect(readingOf({ text: { en: 'hello' } }).text).toBeUndefined()
  })

  test('of a long text and of many fields only a part is shown, and how much is not', () => {
    const many = Object.fromEntries(Array.from({ length: 50 }, (_, n) => [`k${n}`, n]))
    const { text, cut, fields, more } = readingOf({ text: 'x'.repeat(5000), ...many })
    expect([text?.length, cut, fields.length, more]).toEqual([2000, 3000, 8, 42])
    expect(
      readingOf({ text: 'x', deep: deepValue(), ['k'.repeat(999)]: 'v'.repeat(999) }).fields[1]?.value.length,
    ).toBe(120)
  })
})

describe('the rows of a channel', () => {
  const message = (n: number) =>
    ({ id: `m${n}`, timestamp: new Date(n).toISOString(), from: 'ada', payload: { n } }) as unknown as Message
  const merged = (history: readonly number[], live: readonly Line[]) =>
    mergeLines(history.map(message), live).map(({ message }) => message?.id ?? 'notice')
  const live = (...of: number[]) => of.map((n) => lineOf(message(n)))

  test('messages missed before a channel was joined again are after the earlier ones', () => {
    expect(merged([1, 2, 3, 4], live(1, 2))).toEqual(['m1', 'm2', 'm3', 'm4'])
    expect(merged([3, 4, 5], live(1, 2, 3))).toEqual(['m1', 'm2', 'm3', 'm4', 'm5'])
    expect(merged([8, 9], live(1, 2))).toEqual(['m1', 'm2', 'm8', 'm9'])
  })

  test('messages that arrive while the history is read are after it, and notices stay in place', () => {
    expect(merged([1, 2], live(3))).toEqual(['m1', 'm2', 'm3'])
    expect(merged([1, 2, 3], [...live(1), noticeOf('missing'), ...live(2)])).toEqual(['m1', 'notice', 'm2', 'm3'])
    expect([merged([], live(1)), merged([1], [])]).toEqual([['m1'], ['m1']])
  })
})

describe('JSON as a tree', () => {
  const lines = (root: JsonNode) => rowsOf(root).map(({ node, kind }) => (kind === 'more' ? 'more' : node.key))

  test('a JSON tree expands only where it is opened', () => {
    const root = rootOf({ a: { b: { c: 1 } }, d: [] })
    expect(lines(root)).toEqual(['payload'])
    toggle(root)
    expect(lines(root)).toEqual(['payload', 'a', 'd'])
    const [, a, d] = rowsOf(root).map(({ node }) => node)
    expect([isOpenable(a!), isOpenable(d!)]).toEqual([true, false])
    toggle(a!)
    expect(lines(root)).toEqual(['payload', 'a', 'b', 'd'])
    toggle(root, false)
    expect(lines(root)).toEqual(['payload'])
  })

  test('a JSON tree shows a hundred children at a time', () => {
    const root = rootOf(Array.from({ length: 250 }, (_, n) => n))
    toggle(root)
    expect(lines(root).length).toBe(102)
    expect(lines(root).at(-1)).toBe('more')
    showMore(root)
    showMore(root)
    expect([lines(root).length, lines(root).at(-1)]).toEqual([251, '249'])
  })

  test('a JSON tree can be opened 10,000 levels deep', () => {
    const root = rootOf(deepValue())
    let rows = rowsOf(root)
    for (let node: JsonNode = root; isOpenable(node); node = rows.at(-1)!.node) {
      toggle(node)
      // The tree is walked again for each row only near its ends: ten thousand full walks would take too long.
      rows = node.level < 50 || node.level > DEPTH - 5 ? rowsOf(root) : [...rows, ...rowsOf(node).slice(1)]
    }
    expect(rows.length).toBe(DEPTH + 1)
    expect(valueText(rows.at(-1)!.node)).toBe('"the bottom"')
  })

  test('a JSON tree shows the length of a long text', () => {
    expect(valueText(rootOf('x'.repeat(262_144)))).toEndWith('… 262,144 characters')
  })
})

describe('figures', () => {
  test('a ring keeps the last items and counts all', () => {
    const ring = createRing<number>(3)
    for (let n = 1; n <= 10; n++) ring.push(n)
    expect([ring.list(), ring.length, ring.total]).toEqual([[8, 9, 10], 3, 10])
  })

  test('a rate counts the items within its window', () => {
    const rates = createRates(5000, 2)
    for (let at = 0; at < 20_000; at += 100) rates.add('a', 10, at)
    expect(rates.of('a', 19_900)).toBeCloseTo(100, 0)
    expect(rates.of('a', 30_000)).toBe(0)
    rates.add('b', 5, 30_000)
    expect(rates.of('b', 31_000)).toBe(1)
    rates.add('c', 5, 30_000)
    expect([rates.of('c', 30_000), rates.size]).toEqual([0, 2])
    rates.sweep(31_000)
    expect(rates.size).toBe(1)
  })

  test('a line of a chart is interrupted where there is no value', () => {
    expect(pathOf([null, 0, 10, null, 5], 10, false)).toBe('M22.5 100L45 0M90 50h0.5')
    expect(pathOf([10, 0], 10, true)).toBe('M0 0L90 100V100H0Z')
    expect([pathOf([], 1, true), pathOf([null], 1, false)]).toEqual(['', ''])
  })

  test('the axis of a chart ends at a round number', () => {
    expect([0, 0.3, 1, 3, 7, 9.5, 48_200, 99_999].map(roundUp)).toEqual([1, 0.4, 1, 4, 8, 10, 60_000, 100_000])
  })

  test('numbers are formatted with sensible precision', () => {
    expect([0, 0.01234, 3.149, 42.123, 1234.5].map(short)).toEqual(['0', '0.012', '3.1', '42.1', '1,235'])
    expect([0, 1023, 1536, 5 * 1024 ** 3].map(bytes)).toEqual(['0 B', '1,023 B', '1.5 KiB', '5 GiB'])
    expect([0, 61, 3600, 90_061].map(duration)).toEqual(['0 s', '1 min 1 s', '1 h', '1 d 1 h'])
  })
})

describe('events as sentences', () => {
  const said = (type: string, body: object, from = 'arqonbus') =>
    sentenceOf({ id: 1, at: 0, from, type, body: body as Record<string, unknown> })

  test('an event of the bus is a sentence with the fields of the event', () => {
    const ada = { client_id: 'ada', client_type: 'human' }
    expect(said('client_connected', { ...ada, resumed: true })).toBe('ada, person, session resumed')
    expect(said('client_disconnected', { ...ada, connected_ms: 61_000 })).toBe('ada after 1 min 1 s')
    expect(said('client_disconnected', { ...ada, connected_ms: 1000, code: 1001, reason: 'going away' })).toBe(
      'ada after 1 s: close code 1001, going away',
    )
    expect(said('message_routed', { client_id: 'ada', room: 'a', channel: 'b', count: 3 })).toBe(
      'ada published 3 messages to a:b',
    )
    expect(said('message_rejected', { client_id: 'ada', code: 'room_paused', room: 'a' })).toBe(
      'ada was refused in a: room_paused',
    )
  })

  test('an event of a client is shown as it is, whatever type it claims', () => {
    expect(said('client_connected', { client_id: 'nobody' }, 'mallory')).toBe('mallory: { client_id: "nobody" }')
    expect(said('constructor', { a: 1 })).toBe('{ a: 1 }')
  })
})

describe('input', () => {
  const draft = (payload: string, metadata = '') =>
    draftOf({ target: { kind: 'channel', address: 'a:b' }, payload, metadata, from: 'ada', limits: undefined })

  test('words become a text payload, and JSON is taken as it is', () => {
    expect(draft('hello').envelope.payload).toEqual({ text: 'hello' })
    expect(draft('{"a":[1]}').envelope.payload).toEqual({ a: [1] })
    expect(draft('{"a":').fault).toStartWith('The payload is not JSON')
    expect(draft('x', '{"to":"ada"}').fault).toContain('have their own fields')
    expect(draft('x', '{"cause":"nobody"}').fault).toContain('/metadata/cause')
  })

  test('a draft is kept while the composers of many other targets are opened', () => {
    edit('a:typed', { payload: 'half a thought' })
    for (let n = 0; n < 1000; n++) draftFor(`a:${n}`)
    expect(draftFor('a:typed').value.payload).toBe('half a thought')
    for (let n = 0; n < 1000; n++) edit(`b:${n}`, { payload: String(n) })
    expect([draftFor('b:999').value.payload, draftFor('a:typed').value.payload]).toEqual(['999', ''])
  })

  test('a full map drops the oldest entry that may be dropped, and grows where there is none', () => {
    const all = new Map([
      ['a', 'waits'],
      ['b', ''],
      ['c', ''],
    ])
    const addAnother = (name: string, value: string) => {
      makeRoom(all, 3, (one) => one === '')
      all.set(name, value)
    }
    addAnother('d', 'waits')
    expect([...all.keys()]).toEqual(['a', 'c', 'd'])
    addAnother('e', 'waits')
    addAnother('f', 'waits')
    expect([...all.keys()]).toEqual(['a', 'd', 'e', 'f'])
  })

  test('a payload nested 10,000 levels deep is refused, and nothing breaks', () => {
    const text = `{"a":${'['.repeat(DEPTH)}${']'.repeat(DEPTH)}}`
    const limits = { max_depth: 64, max_message_bytes: 1_000_000 } as never
    const { fault } = draftOf({
      target: { kind: 'channel', address: 'a:b' },
      payload: text,
      metadata: '',
      from: 'ada',
      limits,
    })
    expect(fault).toMatch(/nested deeper/)
  })

  test('every command has a form that is valid when empty, unless a field is required', () => {
    for (const form of wire.commands) {
      const required = fieldsOf(form).filter((field) => field.required)
      expect([form.name, 'parameters' in fill(form, {})]).toEqual([form.name, required.length === 0])
    }
  })

  test('form fields become the numbers, choices, booleans, JSON and nulls that the schema requires', () => {
    const form = (name: string) => wire.commands.find((one) => one.name === name)!
    expect(fill(form('history'), { channel: 'a:b', limit: '5', order: 'desc', after: ' ' })).toEqual({
      parameters: { channel: 'a:b', limit: 5, order: 'desc' },
    })
    expect(fill(form('join_channel'), { channel: 'a:*', since: '{"b":"5-1"}', presence: 'true' })).toEqual({
      parameters: { channel: 'a:*', since: { b: '5-1' }, presence: true },
    })
    expect(fill(form('update_profile'), { avatar: 'null' })).toEqual({ parameters: { avatar: null } })
    expect(fill(form('history'), { limit: 'many' })).toEqual({ fault: { field: 'limit', text: 'a number' } })
    expect(fill(form('history'), { limit: '5000' })).toEqual({ fault: { field: 'limit', text: '1000 or less' } })
    expect(fill(form('create_channel'), { options: '{"history_size":-1}' })).toEqual({
      fault: { field: 'options', text: 'at history_size, 0 or more' },
    })
  })
})

describe('a list that renders only its visible rows', () => {
  const rows = equalRows(1000, 30)

  test('the visible rows and a few beyond the edges are rendered', () => {
    expect(renderedRange({ top: 0, height: 300 }, rows, false)).toEqual({ from: 0, to: 16 })
    expect(renderedRange({ top: 3015, height: 300 }, rows, false)).toEqual({ from: 94, to: 117 })
    expect(renderedRange({ top: 0, height: 300 }, equalRows(5, 30), false)).toEqual({ from: 0, to: 5 })
  })

  test('the end is rendered if the list follows it, or is scrolled beyond it', () => {
    const end = { from: 984, to: 1000 }
    expect(renderedRange({ top: 0, height: 300 }, rows, true)).toEqual(end)
    expect(renderedRange({ top: 90_000, height: 300 }, rows, false)).toEqual(end)
  })

  test('a row is shown by scrolling as little as needed', () => {
    const viewport = { top: 300, height: 300 }
    const tops = [9, 10, 19, 20].map((index) => topToShow(index, rows, viewport))
    expect(tops).toEqual([270, undefined, undefined, 330])
  })

  test('rows have the heights that were measured, and the usual one before', () => {
    const mixed = measuredRows([100, undefined, 50, undefined], 30)
    expect([0, 1, 2, 3, 4].map(mixed.topOf)).toEqual([0, 100, 130, 180, 210])
    expect([-5, 0, 99, 100, 129, 130, 200, 900].map(mixed.indexAt)).toEqual([0, 0, 0, 1, 1, 2, 3, 3])
    expect(mixed.total).toBe(210)
    expect(measuredRows([], 30).total).toBe(0)
    // Of a row that is higher than the list, the beginning is shown.
    expect(topToShow(0, measuredRows([500, 30], 30), { top: 300, height: 200 })).toBe(0)
    expect(topToShow(1, measuredRows([30, 500], 30), { top: 0, height: 200 })).toBe(30)
  })

  test('keys mark a row within the list, and open or fold the marked row', () => {
    const press = (key: string, marked: number, canFold = true) =>
      actionOfKey(key, { marked, length: 100, visibleRows: 10, canFold })
    const markedBy = (key: string, marked: number) => {
      const action = press(key, marked)
      return action?.kind === 'mark' ? [action.index, action.leavesEnd] : action
    }
    expect([markedBy('ArrowDown', -1), markedBy('ArrowUp', -1)]).toEqual([
      [0, true],
      [99, false],
    ])
    expect([markedBy('ArrowDown', 99), markedBy('ArrowUp', 0)]).toEqual([
      [99, false],
      [0, true],
    ])
    expect([markedBy('PageDown', 50), markedBy('PageUp', 50)]).toEqual([
      [59, true],
      [41, true],
    ])
    expect([markedBy('Home', 50), markedBy('End', 50)]).toEqual([
      [0, true],
      [99, false],
    ])
    expect([press('Enter', 7), press(' ', 7)]).toEqual(Array(2).fill({ kind: 'open', index: 7 }))
    expect(press('ArrowRight', 7)).toEqual({ kind: 'fold', index: 7, open: true })
    expect(press('ArrowLeft', 7)).toEqual({ kind: 'fold', index: 7, open: false })
    const ignored = [press('Enter', -1), press('ArrowRight', -1), press('ArrowRight', 7, false), press('x', 7)]
    expect(ignored).toEqual(Array(4).fill(undefined))
  })
})
