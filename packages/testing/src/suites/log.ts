/**
 * What every log keeps, whoever drives it: one suite for all drivers, a test for each sentence of the contract.
 *
 * The suite does not know whether a driver answers at once: after every append it lets the driver settle, and it awaits every answer.
 */
import { afterEach, describe, expect, test } from 'bun:test'
import {
  type CodedError,
  type Position,
  positionText,
  protocolVersions,
  type ReadEnvelope,
  readEnvelope,
} from '@arqonbus/protocol'
import type {
  Break,
  Draft,
  Entry,
  Log,
  LogDriver,
  LogOptions,
  MemoryLogOptions,
  Page,
  ReadQuery,
} from '@arqonbus/server'
import { type TestClock, testClock } from '../clock.ts'
import { eventually } from '../eventually.ts'

/** What a driver is made with. */
export type LogSettings = MemoryLogOptions

/** A driver under test. */
export type LogUnderTest = {
  readonly driver: LogDriver<string, Draft>
  /** Ends when everything that was appended has its outcome, and every log that was opened is known. */
  settle(): Promise<void>
  /** A hand on the store, where there is one. */
  readonly store?: StoreHand
  /** Ends the driver, and what was made for it. */
  end?(): void
}

/**
 * Where messages are kept: on the node, which then counts and bounds their bytes and what it remembers of them, and whose logs end when they are closed; or in
 * a store, which bounds them for itself, outlives the node, and may go away.
 */
export type Keeps = 'node' | 'store'

/** What a test does to a store. */
export type StoreHand = {
  /** It goes away; ends when the driver knows. What is on its way then never gets there. */
  leave(): Promise<void>
  /** From now on it takes everything and answers nothing, until it goes away. */
  stall(): void
  /** It is there again; ends when the driver uses it. */
  comeBack(): Promise<void>
  /** It forgets everything. */
  forget(): Promise<void>
  /** Another node with the same store. */
  neighbour(): Promise<LogUnderTest>
}

/** Something that a driver told. */
type Told =
  | {
      readonly kind: 'appended'
      readonly subject: string
      readonly entry: Entry
      readonly draft: Draft | undefined
      readonly given: Position
    }
  | { readonly kind: 'confirmed'; readonly subject: string; readonly position: Position; readonly draft: Draft }
  | {
      readonly kind: 'repeated'
      readonly subject: string
      readonly position: Position | undefined
      readonly draft: Draft
    }
  | { readonly kind: 'held'; readonly subject: string; readonly draft: Draft }
  | { readonly kind: 'broke'; readonly subject: string; readonly gap: Break; readonly draft: undefined }
  | { readonly kind: 'refused'; readonly subject: string; readonly error: CodedError; readonly draft: Draft }

/** A query whose positions are given by their numbers. */
type Query = Partial<Omit<ReadQuery, 'after' | 'before'>> & { after?: number; before?: number }

/** A message in short. */
type Message = {
  id?: string
  from?: string
  payload?: string
  metadata?: Record<string, unknown>
  ack?: boolean
  stored?: boolean
}

const ROOMY: LogOptions = { size: 100, ttlMs: 3_600_000 }
const WINDOW_MS = 120_000
const NO_LIMIT = { limit: 1000, maxBytes: 1_000_000 }

type Make = (settings: LogSettings) => LogUnderTest | Promise<LogUnderTest>

/** Drivers of the test that runs. */
const running: LogUnderTest[] = []

/** A driver with everything around it that a test needs. */
async function createStage(make: Make, settings: Partial<LogSettings> = {}) {
  const clock: TestClock = testClock()
  const expired: Record<string, number> = {}
  const made = await make({
    clock,
    maxBytes: 1 << 20,
    dedupWindowMs: WINDOW_MS,
    dedupBytes: 1 << 20,
    expired: (reason, count) => {
      expired[reason] = (expired[reason] ?? 0) + count
    },
    ...settings,
  })
  running.push(made)
  return { ...watchLog(made), clock, expired, store: made.store!, end: made.end }
}

/** Listens to a driver and notes all that it tells. */
export function watchLog({ driver, settle }: LogUnderTest) {
  const told: Told[] = []
  const logs = new Map<string, Log>()
  let count = 0
  driver.listen({
    appended: (subject, entry, draft) =>
      told.push({ kind: 'appended', subject, entry, draft, given: logs.get(subject)!.given }),
    confirmed: (subject, position, draft) => told.push({ kind: 'confirmed', subject, position, draft }),
    repeated: (subject, position, draft) => told.push({ kind: 'repeated', subject, position, draft }),
    held: (subject, draft) => told.push({ kind: 'held', subject, draft }),
    refused: (subject, error, draft) => told.push({ kind: 'refused', subject, error, draft }),
    broke: (subject, _log, gap) => told.push({ kind: 'broke', subject, gap, draft: undefined }),
  })
  /** Opens one without waiting until it is known. */
  const begin = (key = 'science:general', options: Partial<LogOptions> = {}): Log => {
    const log = driver.open(key, key, { ...ROOMY, ...options })
    logs.set(key, log)
    return log
  }
  const open = async (key?: string, options?: Partial<LogOptions>): Promise<Log> => {
    const log = begin(key, options)
    await log.known()
    return log
  }
  /** Appends and waits for the outcome. */
  const append = async (log: Log, message: Message = {}): Promise<Told> => {
    const draft = draftOf({ id: `arq_${++count}`, ...message })
    log.append(draft)
    await settle()
    return outcomeOf(draft)
  }
  const fill = async (log: Log, messages: number, message: Message = {}) => {
    for (let i = 0; i < messages; i++) await append(log, message)
  }
  const answer = async <T>(asked: T | Promise<T>): Promise<T> => {
    await settle()
    return asked
  }
  /** The position of a number: as it was told, else the birth, or what would follow the head. */
  const positionOf = (log: Log, n: number): Position => {
    for (const one of told) {
      if (one.kind === 'appended' && one.entry.n === n && logs.get(one.subject) === log) return plain(one.entry)
    }
    return n <= 0 ? log.birth : { ms: log.given.ms, n }
  }
  const read = (log: Log, { after, before, ...query }: Query = {}): Promise<Page> =>
    answer(
      log.read({
        ...NO_LIMIT,
        ...query,
        ...(after !== undefined && { after: positionOf(log, after) }),
        ...(before !== undefined && { before: positionOf(log, before) }),
      }),
    )
  /** What became of a draft that has an outcome. */
  const outcomeOf = (draft: Draft): Told => {
    const outcomes = told.filter((one) => one.draft === draft)
    expect(outcomes).toHaveLength(1)
    return outcomes[0]!
  }
  return { driver, told, begin, open, append, fill, answer, read, settle, outcomeOf }
}

/** The suite: `make` makes a driver with these settings and nothing in it. */
export function logSuite(name: string, keeps: Keeps, make: Make): void {
  const stage = (settings?: Partial<LogSettings>) => createStage(make, settings)
  describe(`the log, ${name}`, () => {
    afterEach(() => {
      for (const { end } of running.splice(0)) end?.()
    })
    order(stage)
    reading(stage)
    recovering(stage)
    recognising(stage)
    keeping(stage)
    ending(stage)
    if (keeps === 'node') onTheNode(stage)
    else inTheStore(stage)
  })
}

type Stage = (settings?: Partial<LogSettings>) => ReturnType<typeof createStage>

function order(stage: Stage) {
  test('every draft has exactly one outcome, with its own draft', async () => {
    const { open, told, settle } = await stage()
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
    expect(told.map(({ kind, draft }) => [kind, draft])).toHaveLength(6)
    expect(drafts.map((draft) => told.filter((one) => one.draft === draft).map(({ kind }) => kind))).toEqual([
      ['appended'],
      ['repeated'],
      ['refused'],
      ['appended'],
      ['appended'],
    ])
    expect(told.find(({ draft }) => draft === elsewhere)).toMatchObject({ kind: 'appended', subject: 'a:b' })
  })

  test('positions count from the birth of their log without a hole, each log for itself', async () => {
    const { open, append, clock } = await stage()
    const log = await open('a:a')
    clock.advance(5)
    const other = await open('a:b')
    expect([log.birth.n, other.birth.n, other.birth.ms - log.birth.ms]).toEqual([0, 0, 5])
    expect([log.given, other.given]).toEqual([log.birth, other.birth])
    expect(
      [entryOf(await append(log)), entryOf(await append(other)), entryOf(await append(log))].map(({ n }) => n),
    ).toEqual([1, 1, 2])
    expect([log.given.n, other.given.n]).toEqual([2, 1])
  })

  test('the time in positions never falls, wherever the clock is set', async () => {
    const { open, append, clock } = await stage()
    const log = await open()
    const start = clock.now()
    const times: number[] = []
    for (const step of [0, 10, -7_200_000, 3, 7_300_000]) {
      clock.advance(step)
      times.push(entryOf(await append(log)).ms - start)
    }
    expect(times).toEqual([0, 10, 10, 10, 100_013])
  })

  test('what was appended is announced in order, once, and `given` goes with it', async () => {
    const { open, told, settle } = await stage()
    const [log, other] = [await open('a:a'), await open('a:b')]
    for (let i = 0; i < 20; i++) (i % 3 === 0 ? other : log).append(draftOf({ id: `arq_${i}` }))
    await settle()
    for (const subject of ['a:a', 'a:b']) {
      const announced = told
        .filter((one) => one.subject === subject)
        .map((one) => (one.kind === 'appended' ? one : undefined)!)
      expect(announced.map(({ entry }) => entry.n)).toEqual(announced.map((_, i) => i + 1))
      expect(announced.map(({ given }) => given.n)).toEqual(announced.map((_, i) => i + 1))
      expect(announced.map(({ given }) => given.ms)).toEqual(announced.map(({ entry }) => entry.ms))
    }
    expect(told).toHaveLength(20)
  })

  test('an entry is the envelope as it is delivered: the position in it, its time, and the payload as it was written', async () => {
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

function reading(stage: Stage) {
  test('`after` gives those next after it, oldest first, and says whether there is more', async () => {
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

  test('what is read is what was announced', async () => {
    const { open, fill, read, told } = await stage()
    const log = await open()
    await fill(log, 5)
    expect((await read(log)).entries).toEqual(told.map(entryOf))
  })

  test('`after` what is gone gives what is left: the gap shows in the numbers', async () => {
    const { open, fill, read } = await stage()
    const log = await open('a:a', { size: 3 })
    await fill(log, 10)
    expect(outline(await read(log, { after: 2 }))).toEqual({ entries: [8, 9, 10], hasMore: false, first: 8, last: 10 })
  })

  test('`before` gives the last ones before it, oldest first', async () => {
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

  test('with neither, a page begins at the oldest or ends at the newest', async () => {
    const { open, fill, read } = await stage()
    const log = await open()
    await fill(log, 6)
    expect(outline(await read(log, { limit: 2 }))).toMatchObject({ entries: [1, 2], hasMore: true })
    expect(outline(await read(log, { from: 'oldest', limit: 2 }))).toMatchObject({ entries: [1, 2], hasMore: true })
    expect(outline(await read(log, { from: 'newest', limit: 2 }))).toMatchObject({ entries: [5, 6], hasMore: true })
    expect(outline(await read(log, { from: 'newest' }))).toMatchObject({ entries: [1, 2, 3, 4, 5, 6], hasMore: false })
  })

  test('a page ends before its bytes are over the limit, but holds one message', async () => {
    const { open, fill, read } = await stage()
    const log = await open()
    await fill(log, 5, { payload: `{"text":"${'x'.repeat(1000)}"}` })
    expect(outline(await read(log, { after: 1, maxBytes: 2900 }))).toMatchObject({ entries: [2, 3], hasMore: true })
    expect(outline(await read(log, { before: 5, maxBytes: 2900 }))).toMatchObject({ entries: [3, 4], hasMore: true })
    expect(outline(await read(log, { from: 'newest', maxBytes: 10 }))).toMatchObject({ entries: [5], hasMore: true })
    expect(outline(await read(log, { after: 1, maxBytes: 10 }))).toMatchObject({ entries: [2], hasMore: true })
  })

  test('`recent` gives what comes next without a hole, or says that it is not at hand', async () => {
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

  test('`recent` and `read` know the same messages', async () => {
    const { open, fill, read } = await stage()
    const log = await open()
    await fill(log, 20)
    expect(log.recent(17, 256, 1e6)!).toEqual((await read(log, { after: 17 })).entries as Entry[])
  })
}

function recovering(stage: Stage) {
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
    clock.advance(-50)
    const log = await open()
    expect(log.birth.ms).toBeGreaterThan(given.ms)
    await append(log)
    await fill(log, 3)
    for (const since of [old.birth, given]) {
      expect(await answer(log.locate(since, undefined))).toMatchObject({ recovered: false, reason: 'reset' })
    }
  })
}

function recognising(stage: Stage) {
  test('the same message again gets the first position, and is neither kept nor announced again', async () => {
    const { open, append, read, told, clock } = await stage()
    const log = await open()
    const first = entryOf(await append(log, { id: 'arq_same', ack: true }))
    await append(log)
    clock.advance(1000)
    const again = await append(log, { id: 'arq_same', ack: true })
    expect(again).toMatchObject({ kind: 'repeated', position: plain(first) })
    expect((await read(log)).entries.map(({ n }) => n)).toEqual([1, 2])
    expect(told.filter(({ kind }) => kind === 'appended')).toHaveLength(2)
    expect(entryOf(await append(log)).n).toBe(3)
  })

  test('how it is acknowledged and traced may differ; type, payload and metadata may not', async () => {
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
    ).toBe('repeated')
    for (const other of [
      { metadata: { a: 1, b: 3 } },
      { metadata: { a: 1 } },
      { metadata: { a: 1, b: 2 }, payload: '{"x":1}' },
    ]) {
      const outcome = await send(other)
      expect(outcome.kind === 'refused' && outcome.error.code).toBe('id_conflict')
    }
  })

  test('another sender, and another log, have ids of their own', async () => {
    const { open, append } = await stage()
    const [log, other] = [await open('a:a'), await open('a:b')]
    await append(log, { id: 'arq_same', ack: true })
    expect((await append(log, { id: 'arq_same', ack: true, from: 'bob' })).kind).toBe('appended')
    expect((await append(other, { id: 'arq_same', ack: true })).kind).toBe('appended')
  })

  test('a message without `ack` is not remembered, and remembers nothing', async () => {
    const { open, append } = await stage()
    const log = await open()
    const kinds: string[] = []
    for (const ack of [false, false, true, false, true]) kinds.push((await append(log, { id: 'arq_same', ack })).kind)
    expect(kinds).toEqual(['appended', 'appended', 'appended', 'appended', 'repeated'])
  })

  test('the window goes by the clock, for each message by itself', async () => {
    const { driver, open, append, clock } = await stage()
    const log = await open()
    await append(log, { id: 'arq_first', ack: true })
    clock.advance(WINDOW_MS / 2)
    await append(log, { id: 'arq_second', ack: true })
    clock.advance(WINDOW_MS / 2)
    expect((await append(log, { id: 'arq_first', ack: true })).kind).toBe('repeated')
    clock.advance(1)
    driver.sweep()
    expect((await append(log, { id: 'arq_first', ack: true, payload: '{"new":1}' })).kind).toBe('appended')
    expect((await append(log, { id: 'arq_second', ack: true })).kind).toBe('repeated')
    clock.advance(WINDOW_MS + 1)
    driver.sweep()
    expect((await append(log, { id: 'arq_second', ack: true })).kind).toBe('appended')
  })

  test('a clock that is set back makes nothing forgotten early', async () => {
    const { driver, open, append, clock } = await stage()
    const log = await open()
    await append(log, { id: 'arq_same', ack: true })
    clock.advance(-3_600_000)
    driver.sweep()
    clock.advance(WINDOW_MS)
    expect((await append(log, { id: 'arq_same', ack: true })).kind).toBe('repeated')
  })

  test('an id of a log that has ended is unknown to the next one of its name', async () => {
    const { open, append } = await stage()
    const log = await open()
    await append(log, { id: 'arq_same', ack: true })
    log.delete()
    expect((await append(await open(), { id: 'arq_same', ack: true, payload: '{"new":1}' })).kind).toBe('appended')
  })
}

function keeping(stage: Stage) {
  test('no more messages than its size', async () => {
    const { open, fill, read, expired, driver } = await stage()
    const log = await open('a:a', { size: 3 })
    await fill(log, 10)
    expect(outline(await read(log))).toEqual({ entries: [8, 9, 10], hasMore: false, first: 8, last: 10 })
    expect([expired.length, driver.usage().messages]).toEqual([7, 3])
  })

  test('with size 0 messages are numbered and announced, and none is kept', async () => {
    const { open, fill, read, answer, append, driver, expired } = await stage()
    const log = await open('a:a', { size: 0 })
    await fill(log, 3)
    expect(outline(await read(log))).toEqual({ entries: [], hasMore: false, first: 3, last: 3 })
    expect(outline(await read(log, { from: 'newest' }))).toEqual({ entries: [], hasMore: false, first: 3, last: 3 })
    expect(await answer(log.locate(log.given, undefined))).toMatchObject({ recovered: true, missed: 0 })
    expect(await answer(log.locate(log.birth, undefined))).toMatchObject({ recovered: false, reason: 'trimmed' })
    expect(entryOf(await append(log)).n).toBe(4)
    expect([log.isEmpty(), driver.usage().messages, driver.usage().bytes, expired.length]).toEqual([true, 0, 0, 4])
  })

  test('a message goes when its time is over, read or swept', async () => {
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

  test('the bounds of an empty log are its birth, and its head once everything has gone', async () => {
    const { open, append, answer, clock } = await stage()
    const log = await open('a:a', { ttlMs: 1000 })
    expect(log.isEmpty()).toBe(true)
    expect(await answer(log.bounds())).toEqual({ first: log.birth, last: log.birth })
    const head = plain(entryOf(await append(log)))
    expect(await answer(log.bounds())).toEqual({ first: head, last: head })
    clock.advance(1000)
    expect(await answer(log.bounds())).toEqual({ first: head, last: head })
    expect(log.isEmpty()).toBe(true)
  })
}

function ending(stage: Stage) {
  test('a draft that was on its way when its log closed has an outcome too', async () => {
    const { open, told, settle, driver } = await stage()
    const log = await open()
    const draft = draftOf({ id: 'arq_1' })
    log.append(draft)
    const announced = told.length
    log.close()
    await settle()
    expect(told.filter((one) => one.draft === draft)).toHaveLength(1)
    expect(told.slice(announced).filter(({ kind }) => kind === 'appended')).toEqual([])
    expect(driver.usage().messages).toBe(0)
  })

  test('a driver that answers at once has told the outcome before `append` returns, and no other says that it does', async () => {
    const { open, told, driver, settle } = await stage()
    const log = await open()
    log.append(draftOf({}))
    expect(told.length === 1).toBe(driver.isImmediate)
    await settle()
    expect(told).toHaveLength(1)
  })

  test('after a log that was deleted another one of its name begins with nothing', async () => {
    const { open, append, fill, read } = await stage()
    const old = await open()
    await fill(old, 5)
    old.delete()
    const log = await open()
    expect(outline(await read(log))).toEqual({ entries: [], hasMore: false, first: 0, last: 0 })
    expect(entryOf(await append(log)).n).toBe(1)
  })
}

/** What only a driver keeps that has the messages itself. */
function onTheNode(stage: Stage) {
  test('a clock that is set back makes no memory kept for hours', async () => {
    const { driver, open, append, clock } = await stage()
    const log = await open()
    await append(log, { id: 'arq_same', ack: true })
    clock.advance(-3_600_000)
    driver.sweep()
    clock.advance(WINDOW_MS + 1)
    driver.sweep()
    expect(driver.usage().dedupBytes).toBe(0)
    expect((await append(log, { id: 'arq_same', ack: true })).kind).toBe('appended')
  })

  test('when its memory is full, what asks to be remembered is refused, and nothing else; after the window there is room', async () => {
    const { driver, open, append, clock, told } = await stage({ dedupBytes: 64 * 1024 })
    const log = await open()
    await append(log, { id: 'arq_same', ack: true })
    let outcome: Told
    do outcome = await append(log, { ack: true })
    while (outcome.kind === 'appended' && told.length < 10_000)
    expect(outcome.kind === 'refused' && outcome.error.code).toBe('rate_limited')
    expect(driver.usage().dedupBytes).toBeLessThanOrEqual(64 * 1024)
    expect((await append(log)).kind).toBe('appended')
    expect((await append(log, { id: 'arq_same', ack: true })).kind).toBe('repeated')
    clock.advance(WINDOW_MS + 1)
    expect((await append(log, { ack: true })).kind).toBe('appended')
  })

  test('the oldest of all logs goes first when they hold too many bytes together', async () => {
    const { open, append, read, clock, driver, expired } = await stage({ maxBytes: 12_000 })
    const logs = [await open('a:a'), await open('a:b'), await open('a:c')]
    const payload = `{"text":"${'x'.repeat(800)}"}`
    const order = [0, 1, 1, 2, 0, 0, 2, 1, 0, 2, 2, 1, 0, 1, 2, 0, 1, 2, 0, 0, 2, 1]
    for (const i of order) {
      clock.advance(1)
      await append(logs[i]!, { payload })
      expect(driver.usage().bytes).toBeLessThanOrEqual(12_000)
    }
    const kept = (await Promise.all(logs.map((log) => read(log)))).flatMap(({ entries }) => entries.map(({ ms }) => ms))
    expect(kept.length).toBeGreaterThan(10)
    expect(kept.toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: kept.length }, (_, i) => clock.now() - kept.length + 1 + i),
    )
    expect(expired.bytes).toBe(order.length - kept.length)
  })

  test('a message larger than all bytes together is numbered and announced, and leaves nothing behind', async () => {
    const { open, append, driver } = await stage({ maxBytes: 500 })
    const log = await open()
    await append(log)
    expect((await append(log, { payload: `{"text":"${'x'.repeat(800)}"}` })).kind).toBe('appended')
    expect([log.isEmpty(), driver.usage().bytes, log.given.n]).toEqual([true, 0, 2])
  })

  test('a log that is closed leaves nothing, and takes nothing more', async () => {
    const { open, append, fill, driver, expired, told } = await stage()
    const [log, other] = [await open('a:a'), await open('a:b')]
    await fill(log, 5)
    await append(other)
    log.close()
    expect([log.isEmpty(), driver.usage().messages, expired.deleted]).toEqual([true, 1, 5])
    const late = await append(log, { ack: true })
    expect(late.kind === 'refused' && late.error.code).toBe('channel_not_found')
    expect([log.isEmpty(), driver.usage().messages, told.length]).toEqual([true, 1, 7])
    other.close()
    expect(driver.usage()).toMatchObject({ messages: 0, bytes: 0 })
  })

  test('what is used goes back to nothing', async () => {
    const { open, fill, clock, driver } = await stage()
    for (let i = 0; i < 30; i++)
      await fill(await open(`a:${i}`, { size: 1 + (i % 5) }), 1 + (i % 7), {
        ack: i % 2 === 0,
        payload: '{"text":"Grüße"}',
      })
    expect(driver.usage().bytes).toBeGreaterThan(0)
    clock.advance(ROOMY.ttlMs)
    driver.sweep()
    expect(driver.usage()).toMatchObject({ messages: 0, bytes: 0, dedupBytes: 0 })
  })
}

/** What only a driver keeps whose messages are elsewhere. */
function inTheStore(stage: Stage) {
  test('a log that is closed and opened again goes on where it was', async () => {
    const { open, append, fill, read, told } = await stage()
    const old = await open()
    await fill(old, 3)
    await append(old, { id: 'arq_same', ack: true })
    old.close()
    const late = await append(old)
    expect(late.kind === 'refused' && late.error.code).toBe('channel_not_found')
    const log = await open()
    expect([log.birth, log.base, log.given]).toEqual([old.birth, old.given, old.given])
    expect(outline(await read(log))).toEqual({ entries: [1, 2, 3, 4], hasMore: false, first: 1, last: 4 })
    expect((await append(log, { id: 'arq_same', ack: true })).kind).toBe('repeated')
    expect(entryOf(await append(log)).n).toBe(5)
    expect(announced(told)).toEqual([1, 2, 3, 4, 5])
  })

  test('two nodes hear of everything in order, once, also while both append', async () => {
    const one = await stage()
    const other = watchLog(await one.store.neighbour())
    const logs = [await one.open(), await other.open()] as const
    const drafts = Array.from({ length: 400 }, (_, i) => draftOf({ id: `arq_${i}`, from: i % 2 === 0 ? 'ann' : 'bob' }))
    for (const [i, draft] of drafts.entries()) {
      logs[i % 2]!.append(draft)
      if (i % 7 === 0) await turn()
    }
    await Promise.all([one.settle(), other.settle()])
    await eventually(() => expect([announced(one.told).length, announced(other.told).length]).toEqual([400, 400]))
    expect(announced(one.told)).toEqual(drafts.map((_, i) => i + 1))
    expect(one.told.filter(isAppended).map(({ entry }) => entry)).toEqual(
      other.told.filter(isAppended).map(({ entry }) => entry),
    )
    for (const [i, draft] of drafts.entries()) {
      const [own, foreign] = i % 2 === 0 ? [one, other] : [other, one]
      expect(own.outcomeOf(draft).kind).toMatch(/appended|confirmed/)
      expect(foreign.told.some((told) => told.draft === draft)).toBe(false)
    }
    const ids = one.told.filter(isAppended).map(({ entry }) => JSON.parse(entry.text) as { id: string; from: string })
    for (const from of ['ann', 'bob']) {
      const own = ids.filter((envelope) => envelope.from === from).map(({ id }) => Number(id.slice(4)))
      expect(own).toEqual(own.toSorted((a, b) => a - b))
    }
  })

  test('what one node has taken, another one recognises', async () => {
    const one = await stage()
    const other = watchLog(await one.store.neighbour())
    const first = entryOf(await one.append(await one.open(), { id: 'arq_same', ack: true }))
    const again = await other.append(await other.open(), { id: 'arq_same', ack: true })
    expect(again).toMatchObject({ kind: 'repeated', position: plain(first) })
  })

  test('while the store is away, what asks for more than memory is refused, and the rest is held and told in order when it is back', async () => {
    const { driver, open, append, store, told, read, settle } = await stage()
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
    expect(told.slice(-300).map(({ kind, draft }) => [kind, draft])).toEqual(held.map((draft) => ['held', draft]))
    expect(driver.usage().heldMessages).toBe(300)
    expect(driver.usage().heldBytes).toBeGreaterThan(300 * 100)
    await store.comeBack()
    await settle()
    await eventually(() => expect(announced(told)).toHaveLength(301))
    expect(
      told
        .filter(isAppended)
        .map(({ entry, draft }) => [entry.n, draft && idOf(entry)])
        .slice(1),
    ).toEqual(held.map((_, i) => [i + 2, undefined]))
    expect(
      told
        .filter(isAppended)
        .map(({ entry }) => idOf(entry))
        .slice(1),
    ).toEqual(held.map((_, i) => `arq_h${i}`))
    expect((await read(log)).entries).toHaveLength(100)
    expect([driver.isAway, driver.usage().heldMessages, driver.usage().heldBytes]).toEqual([false, 0, 0])
    expect(entryOf(await append(log)).n).toBe(302)
  })

  test('while the store is away, the same message again is the one that is held, and other content under its id is not', async () => {
    const { open, append, store, told, settle } = await stage()
    const log = await open()
    await store.leave()
    const send = (message: Message = {}) => append(log, { id: 'arq_same', ack: true, ...message })
    expect((await send()).kind).toBe('held')
    expect(await send()).toMatchObject({ kind: 'repeated', position: undefined })
    const other = await send({ payload: '{"other":1}' })
    expect(other.kind === 'refused' && other.error.code).toBe('id_conflict')
    await store.comeBack()
    await settle()
    await eventually(() => expect(announced(told)).toEqual([1]))
    expect(await send()).toMatchObject({ kind: 'repeated', position: { n: 1 } })
  })

  test('while the store is away, a log that is not known cannot be, and what is at hand can be read', async () => {
    const { begin, open, fill, read, store, clock, told, append, settle } = await stage()
    const log = await open('a:a', { ttlMs: 1000 })
    await fill(log, 10)
    await store.leave()
    const other = begin('a:b')
    expect(other.given.n).toBe(-1)
    expect(await codeOf(other.known())).toBe('storage_unavailable')
    for (const asked of [log.read({ ...NO_LIMIT }), log.bounds(), log.locate(log.birth, undefined)]) {
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
    expect((await append(other)).kind).toBe('held')
    await store.comeBack()
    await other.known()
    await settle()
    await eventually(() => expect(announced(told, 'a:b')).toEqual([1]))
    expect(outline(await read(other))).toMatchObject({ entries: [1], last: 1 })
  })

  test('what was on its way when the store went has no known outcome; it is appended first, and the same id tells', async () => {
    const { open, append, store, told, outcomeOf, driver, settle } = await stage()
    const log = await open()
    await append(log)
    store.stall()
    const sent = draftOf({ id: 'arq_sent', ack: true, stored: true })
    log.append(sent)
    await turn()
    await turn()
    await store.leave()
    const outcome = outcomeOf(sent)
    expect(outcome.kind === 'refused' && outcome.error.code).toBe('outcome_unknown')
    const early = await append(log, { id: 'arq_sent', ack: true, stored: true })
    expect(early.kind === 'refused' && early.error.code).toBe('storage_unavailable')
    expect((await append(log, { id: 'arq_later' })).kind).toBe('held')
    expect(driver.usage().heldMessages).toBe(2)
    await store.comeBack()
    await settle()
    await eventually(() => expect(announced(told)).toEqual([1, 2, 3]))
    expect(told.filter(isAppended).map(({ entry }) => idOf(entry))).toEqual(['arq_1', 'arq_sent', 'arq_later'])
    expect(await append(log, { id: 'arq_sent', ack: true, stored: true })).toMatchObject({
      kind: 'repeated',
      position: { n: 2 },
    })
  })

  test('a log that was deleted while the store was away is gone when it is back, and the next of its name begins later', async () => {
    const { begin, open, fill, store, read, append } = await stage()
    const old = await open()
    await fill(old, 3)
    await store.leave()
    old.delete()
    const log = begin()
    await store.comeBack()
    await log.known()
    expect(log.birth.ms).toBeGreaterThan(old.given.ms)
    expect(outline(await read(log))).toEqual({ entries: [], hasMore: false, first: 0, last: 0 })
    expect(entryOf(await append(log)).n).toBe(1)
  })

  test('a store that has forgotten everything is a break: reset, and what comes next is told after it', async () => {
    const { open, append, fill, store, told, answer } = await stage()
    const log = await open()
    await fill(log, 3)
    const { given, birth } = log
    await store.leave()
    await store.comeBack()
    await store.forget()
    await append(log)
    await eventually(() =>
      expect(told.filter(({ kind }) => kind === 'broke')).toMatchObject([{ gap: { reason: 'reset', after: given } }]),
    )
    await eventually(() => expect(announced(told).at(-1)).toBe(1))
    expect(log.birth.ms).toBeGreaterThan(birth.ms)
    expect(await answer(log.locate(given, undefined))).toMatchObject({ recovered: false, reason: 'reset' })
  })
}

/** The entry of an outcome. */
function entryOf(told: Told): Entry {
  if (told.kind !== 'appended') throw new Error(`${told.kind}, not appended`)
  return told.entry
}

/** True for an announcement. */
export const isAppended = (told: Told): told is Extract<Told, { kind: 'appended' }> => told.kind === 'appended'

/** The numbers that were announced, in order. */
export const announced = (told: readonly Told[], subject?: string): number[] =>
  told
    .filter(isAppended)
    .filter((one) => subject === undefined || one.subject === subject)
    .map(({ entry }) => entry.n)

const idOf = ({ text }: Entry): string => (JSON.parse(text) as { id: string }).id

/** A turn of the loop. */
const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

/** The code of the error with which something fails. */
const codeOf = async (asked: unknown): Promise<string | undefined> => {
  try {
    await asked
    return undefined
  } catch (problem) {
    return (problem as CodedError).code
  }
}

const plain = ({ ms, n }: Position): Position => ({ ms, n })

/** A page as numbers. */
const outline = (page: Page) => ({
  entries: page.entries.map(({ n }) => n),
  hasMore: page.hasMore,
  first: page.first.n,
  last: page.last.n,
})

/** A draft of an event; with `ack` it is remembered, with `stored` memory is not enough for it. */
export function draftOf({
  id = 'arq_1',
  from = 'ann',
  payload = '{}',
  metadata,
  ack = false,
  stored = false,
}: Message): Draft {
  const withAck = ack ? { ack: true, ...metadata } : metadata
  const text =
    `{"version":"1.0","id":"${id}","type":"event","room":"a","channel":"a","from":"${from}","timestamp":"2026-01-01T00:00:00Z",` +
    `"payload":${payload}${withAck === undefined ? '' : `,"metadata":${JSON.stringify(withAck)}`}}`
  const envelope = readEnvelope(text, { maxDepth: 64, versions: protocolVersions })
  if ('fault' in envelope) throw new Error(JSON.stringify(envelope))
  return { envelope: envelope as ReadEnvelope, remembered: ack, mustBeStored: stored }
}
