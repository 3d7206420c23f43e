/** One log as its node sees it: what the store says comes in whatever order the test wants. */
import { describe, expect, test } from 'bun:test'
import { CodedError, type Position } from '@arqonbus/protocol'
import { draftOf } from '@arqonbus/testing'
import type { Draft } from '../contract.ts'
import { entryOf } from './encoded-parts.ts'
import { type LogHost, RemoteLog } from './remote-log.ts'
import type { Inspection, StorePage } from './remote-store.ts'

const prefix = '{"version":"1.0","id":"arq_1","timestamp":"'
const parts = { prefix, suffix: '","payload":{},"metadata":{"position":"', glue: '' }
const at = (n: number, ms = 1000 + n): Position => ({ ms, n })
const news = (position: Position, draft?: Draft) => ({
  position,
  parts,
  isOwn: draft !== undefined,
  draft,
  outcome: draft && ({ kind: 'appended', position } as const),
})
const seen = (last: Position, more: Partial<Inspection> = {}): Inspection => ({
  origin: { ms: 1000, n: 0 },
  head: last,
  oldest: last.n === 0 ? undefined : at(1),
  at: last.n === 0 ? undefined : prefix,
  gone: undefined,
  former: undefined,
  ...more,
})
const page = (positions: readonly Position[]): StorePage => ({
  head: positions.at(-1),
  oldest: positions[0],
  hasMore: false,
  entries: positions.map((position) => entryOf(position, parts)),
})
const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

/** A log that is known up to a number, and what it tells. */
function stage(known = 0) {
  const events: string[] = []
  const reads: { resolve: (answer: StorePage) => void; reject: (problem: CodedError) => void }[] = []
  const hears: (() => void)[] = []
  /** The draft of the entry that was delivered last: it is settled in the same step. */
  let delivered: Draft | undefined
  const host: LogHost<string, Draft> = {
    listener: {
      delivered(_subject, { n }, draft) {
        delivered = draft
        events.push(draft === undefined ? `${n}` : `${n} own`)
      },
      settled(_subject, draft, outcome) {
        if (draft !== delivered) events.push(`${(outcome as { position: Position }).position.n} confirmed`)
        delivered = undefined
      },
      gap: (_subject, _log, { reason, after, next }) => events.push(`${reason} ${after.n} ${next.n}`),
      redacted: (_subject, _log, { n }) => events.push(`${n} redacted`),
    },
    atHand: { kept() {}, forgot() {} },
    now: () => 0,
    isAway: () => false,
    append() {},
    redact: () => Promise.resolve(false),
    reconciler: { need() {}, active() {} },
    reports: {
      failed(problem) {
        throw problem
      },
    },
    inspect: () => Promise.reject(new Error('not asked here')),
    read: () => new Promise((resolve, reject) => reads.push({ resolve, reject })),
    flushed: () => new Promise((resolve) => hears.push(resolve)),
    closed() {},
  }
  const log = new RemoteLog(host, 'a:a', 'a:a', { size: 100, ttlMs: 1000 })
  const unknown = new RemoteLog(host, 'a:b', 'a:b', { size: 100, ttlMs: 1000 })
  log.inspected(seen(at(0, 1000)))
  for (let n = 1; n <= known; n++) log.hear(news(at(n)))
  events.length = 0
  const answer = async (...positions: Position[]) => {
    await answerWith(page(positions))
  }
  const answerWith = async (answered: StorePage) => {
    reads.shift()!.resolve(answered)
    await turn()
  }
  const refuse = async () => {
    reads.shift()!.reject(new CodedError('storage_unavailable'))
    await turn()
  }
  /** Everything that was announced by now has been heard. */
  const heard = async () => {
    hears.shift()!()
    await turn()
  }
  return { log, unknown, events, reads, answer, answerWith, refuse, heard }
}

test('an append out of order waits until the stream is read up to it, and keeps its draft', async () => {
  const { log, events, answer } = stage(2)
  log.hear(news(at(4), draftOf({})))
  expect(events).toEqual([])
  await answer(at(3), at(4))
  expect(events).toEqual(['3', '4 own'])
  log.hear(news(at(5)))
  log.hear(news(at(5), draftOf({})))
  expect(events).toEqual(['3', '4 own', '5', '5 confirmed'])
})

test('a message missing from a page is not a gap while its announcement may be on the way', async () => {
  const { log, events, answer, heard } = stage(2)
  log.hear(news(at(6), draftOf({})))
  await answer(at(5), at(6))
  expect(events).toEqual([])
  log.hear(news(at(3)))
  log.hear(news(at(4)))
  await heard()
  expect(events).toEqual(['3', '4', '5', '6 own'])
})

test('a message missing from the page and without an announcement was trimmed', async () => {
  const { log, events, answer, heard } = stage(2)
  log.hear(news(at(6), draftOf({})))
  await answer(at(5), at(6))
  log.hear(news(at(3)))
  await heard()
  expect(events).toEqual(['3', 'trimmed 3 4', '5'])
  await answer(at(6))
  expect(events).toEqual(['3', 'trimmed 3 4', '5', '6 own'])
})

test('in a log that keeps nothing, announced messages are delivered, and every missing one is a gap', async () => {
  const { log, events, answerWith, heard } = stage(2)
  const nothing = { ...page([]), head: at(5) }
  log.hear(news(at(5)))
  await answerWith(nothing)
  for (const n of [3, 4]) log.hear(news(at(n)))
  await heard()
  expect(events).toEqual(['3', '4', '5'])
  log.inspected(seen(at(8), { oldest: undefined, at: undefined }))
  await answerWith({ ...nothing, head: at(8) })
  log.hear(news(at(6)))
  await heard()
  expect(events).toEqual(['3', '4', '5', '6', 'trimmed 6 8'])
})

test('a page requested before an outage is ignored and does not prevent the next request', async () => {
  const { log, events, reads, answer } = stage(2)
  log.hear(news(at(4)))
  log.away()
  log.inspected(seen(at(4)))
  expect(reads).toHaveLength(2)
  await answer(at(3, 9003), at(4, 9004))
  expect(events).toEqual([])
  await answer(at(3), at(4))
  expect(events).toEqual(['3', '4'])
  expect(reads).toEqual([])
})

test('a page that was awaited before an outage is awaited again after it', async () => {
  const { log, events, answer, answerWith } = stage(2)
  const old = { ...page([at(3)]), entries: [] }
  log.hear(news(at(5)))
  await answer(at(3))
  log.away()
  log.inspected(seen(at(3)))
  log.hear(news(at(5)))
  await answerWith(old)
  await answerWith(old)
  expect(events).toEqual(['3'])
  await answer(at(4), at(5))
  expect(events).toEqual(['3', '4', '5'])
})

test('a message announced while a page is read is not delivered again from the page', async () => {
  const { log, events, answer } = stage(1)
  log.hear(news(at(4)))
  log.hear(news(at(2)))
  log.hear(news(at(3)))
  expect(events).toEqual(['2', '3', '4'])
  await answer(at(2), at(3), at(4))
  expect(events).toEqual(['2', '3', '4'])
})

test('a page requested before a gap is ignored after it', async () => {
  const { log, events, reads, answer } = stage(5)
  log.hear(news(at(7)))
  log.hear(news(at(1, 9000)))
  expect(events).toEqual(['reset 5 0', '1'])
  await answer(at(6), at(7))
  expect(events).toEqual(['reset 5 0', '1'])
  expect(reads).toHaveLength(1)
  await answer()
  expect(log.lastDelivered).toEqual(at(1, 9000))
})

test('after an outage nothing is delivered before the log was inspected, since it may have diverged', async () => {
  const { log, events } = stage(5)
  log.away()
  log.hear(news(at(6, 9006)))
  expect(events).toEqual([])
  // The message at number 5 is not the one that was delivered.
  log.inspected(seen(at(6, 9006), { at: undefined }))
  expect(events).toEqual(['lost 5 6'])
  expect(log.lastDelivered).toEqual(at(6, 9006))
  log.hear(news(at(7, 9007)))
  expect(events).toEqual(['lost 5 6', '7'])
})

test('after an outage a log that still has what was announced continues', () => {
  const { log, events } = stage(5)
  log.away()
  log.hear(news(at(6), draftOf({})))
  log.inspected(seen(at(5)))
  expect(events).toEqual(['6 own'])
})

test('drafts that a log got out of order before an outage each have an outcome', () => {
  const { log, events } = stage(2)
  log.hear(news(at(4), draftOf({})))
  log.away()
  expect(events).toEqual(['4 confirmed'])
})

test('own appends to a log not yet known are announced, and appends of other nodes are before its base', () => {
  const { unknown: other, events } = stage()
  other.hear(news(at(2)))
  other.hear(news(at(3), draftOf({})))
  other.hear(news(at(4)))
  other.inspected(seen(at(4)))
  expect(events).toEqual(['3 own', '4'])
  expect(other.attachedAt.n).toBe(2)
})

test('own appends before an outage of a log not yet known are announced, including uncertain ones', async () => {
  const { unknown: answered, events, answer } = stage()
  answered.hear(news(at(1), draftOf({})))
  answered.away()
  answered.inspected(seen(at(2)))
  await answer(at(1), at(2))
  expect(events.splice(0)).toEqual(['1 confirmed', '1', '2'])

  const { unknown: unanswered, events: eventsLater, answer: answerLater } = stage()
  unanswered.wasInterrupted()
  unanswered.away()
  unanswered.inspected(seen(at(1)))
  await answerLater(at(1))
  expect(eventsLater).toEqual(['1'])
})

test('a log that is closed during an announcement stops there', async () => {
  const { log, events, answer } = stage(1)
  log.hear(news(at(4)))
  log.close()
  await answer(at(2), at(3), at(4))
  expect(events).toEqual([])
})

test('messages from an earlier log of the same name are ignored', () => {
  const { log, events } = stage(2)
  log.hear(news(at(1, 9000)))
  log.hear(news(at(3), draftOf({})))
  expect(events).toEqual(['reset 2 0', '1', '3 confirmed'])
  expect(log.lastDelivered).toEqual(at(1, 9000))
})

describe('a duplicate of a message that is still to be delivered here', () => {
  const duplicate = (position: Position) => ({ draft: draftOf({}), outcome: { kind: 'duplicate', position } as const })

  test('is confirmed after the delivery, and at once where the message was delivered', async () => {
    const { log, events, answer } = stage(2)
    log.hadAlready(duplicate(at(2)))
    log.hadAlready(duplicate(at(4)))
    log.hadAlready(duplicate(at(4)))
    expect(events).toEqual(['2 confirmed'])
    await answer(at(3), at(4), at(5))
    expect(events).toEqual(['2 confirmed', '3', '4', '4 confirmed', '4 confirmed', '5'])
  })

  test('is confirmed after an announcement that comes ahead of the page', async () => {
    const { log, events, answer, reads } = stage(2)
    log.hadAlready(duplicate(at(3)))
    log.hear(news(at(3)))
    expect(events).toEqual(['3', '3 confirmed'])
    await answer(at(3))
    expect([events, reads]).toEqual([['3', '3 confirmed'], []])
  })

  test('is confirmed after an outage when the log has been inspected and read up to it', async () => {
    const { log, events, answer } = stage(2)
    log.away()
    log.hadAlready(duplicate(at(3)))
    expect(events).toEqual([])
    log.inspected(seen(at(3)))
    expect(events).toEqual([])
    await answer(at(3))
    expect(events).toEqual(['3', '3 confirmed'])
  })

  test('is confirmed when a log not yet known begins behind it', () => {
    const { unknown: log, events } = stage()
    log.hadAlready(duplicate(at(3)))
    expect(events).toEqual([])
    log.inspected(seen(at(4)))
    expect(events).toEqual(['3 confirmed'])
  })

  test('is confirmed when it was trimmed, before the gap', async () => {
    const { log, events, answerWith, heard } = stage(2)
    log.hadAlready(duplicate(at(3)))
    await answerWith({ ...page([at(5)]), head: at(5) })
    await heard()
    expect(events).toEqual(['3 confirmed', 'trimmed 2 4', '5'])
  })

  test('is confirmed when two pages do not have it, of which the first may be older than the duplicate', async () => {
    const { log, events, answer, reads } = stage(2)
    log.hear(news(at(4)))
    log.hadAlready(duplicate(at(6)))
    await answer(at(3), at(4))
    expect([events.splice(0), reads.length]).toEqual([['3', '4'], 1])
    await answer(at(5))
    expect([events, reads]).toEqual([['5', '6 confirmed'], []])
  })

  test.each([
    ['the store goes away', (log: RemoteLog<string, Draft>) => log.away()],
    [
      'the log is found to be damaged',
      (log: RemoteLog<string, Draft>) => log.fail(new CodedError('storage_unavailable')),
    ],
  ])('is confirmed when %s', (_what, happens) => {
    const { log, events } = stage(2)
    log.hadAlready(duplicate(at(4)))
    happens(log)
    expect(events).toEqual(['4 confirmed'])
  })

  test('is confirmed when the page cannot be read', async () => {
    const { log, events, refuse } = stage(2)
    log.hadAlready(duplicate(at(4)))
    await refuse()
    expect(events).toEqual(['4 confirmed'])
  })
})
