import { expect, test } from 'bun:test'
import { type ErrorCode, errorCodes } from '@arqonbus/protocol/codes'
import { createManualClock } from '../test/support/manual-clock.ts'
import { ArqonBusError } from './errors.ts'
import { createPending, type Request } from './pending.ts'

const WINDOW_MS = 120_000

function setUp({ maxWaiting = 10, connected = true } = {}) {
  const clock = createManualClock()
  const connection = { connected, sent: [] as string[] }
  const outcomes = new Map<string, unknown>()
  const send = (frame: string) => {
    if (connection.connected) connection.sent.push(frame)
    return connection.connected
  }
  const held = new Set<string>()
  const pending = createPending(
    clock,
    maxWaiting,
    send,
    () => WINDOW_MS,
    (address) => held.has(address),
  )
  const add = (id: string, about: Partial<Request> = {}) =>
    pending.add({
      id,
      frame: id,
      kind: 'publish',
      repeatable: true,
      timeoutMs: 30_000,
      succeed: (result) => outcomes.set(id, result),
      fail: ({ code }) => outcomes.set(id, code),
      ...about,
    })
  return { clock, connection, held, pending, add, outcomes }
}

const success = (id: string | null) =>
  ({ request_id: id, status: 'success', response_format: 'x', result: 'done' }) as const

test('a reply settles its request once', () => {
  const { pending, add, outcomes, clock } = setUp()
  add('a')
  expect(pending.settle(success('a'))).toBe(true)
  expect(pending.settle(success('a'))).toBe(false)
  expect(pending.settle(success(null))).toBe(false)
  expect(outcomes).toEqual(new Map([['a', 'done']]))
  expect(clock.timers()).toBe(0)
})

test('a refusal has the code, the details and the request id', () => {
  const { pending, add } = setUp()
  let error: unknown
  add('a', { fail: (one) => (error = one) })
  const body = {
    code: 'rate_limited',
    status: 429,
    message: 'Slow down.',
    details: { limit: 5 },
    retry_after_ms: 70,
  } as const
  pending.settle({ request_id: 'a', status: 'error', error: body })
  expect(error).toMatchObject({
    code: 'rate_limited',
    status: 429,
    message: 'Slow down.',
    details: { limit: 5 },
    retryAfterMs: 70,
    requestId: 'a',
  })
})

test('after its timeout an acknowledgement is outcome_unknown, and a command is reply_timeout', () => {
  const { clock, add, outcomes } = setUp()
  add('a')
  add('b', { kind: 'command' })
  clock.advance(30_000)
  expect([...outcomes]).toEqual([
    ['a', 'outcome_unknown'],
    ['b', 'reply_timeout'],
  ])
})

test('a request that was never sent fails as not_connected', () => {
  const { clock, connection, add, outcomes } = setUp({ connected: false })
  add('a')
  add('b', { kind: 'command' })
  clock.advance(30_000)
  expect([...outcomes.values()]).toEqual(['not_connected', 'not_connected'])
  expect(connection.sent).toEqual([])
})

test('after a reconnect repeatable requests are sent again in order, and others fail at once', () => {
  const { connection, pending, add, outcomes } = setUp()
  add('a')
  add('delete', { kind: 'command', repeatable: false })
  connection.connected = false
  pending.connectionLost()
  expect([...outcomes]).toEqual([['delete', 'connection_lost']])
  add('b')
  connection.connected = true
  pending.resend()
  expect(connection.sent).toEqual(['a', 'delete', 'a', 'b'])
})

test('a publish is not sent again when the deduplication window is nearly over', () => {
  const { clock, connection, pending, add, outcomes } = setUp()
  add('old', { timeoutMs: undefined })
  connection.connected = false
  clock.advance(WINDOW_MS * 0.5)
  add('unsent', { timeoutMs: undefined })
  clock.advance(WINDOW_MS * 0.41)
  connection.connected = true
  pending.resend()
  expect([...outcomes]).toEqual([['old', 'outcome_unknown']])
  expect(connection.sent).toEqual(['old', 'unsent'])
})

test('the deduplication window counts from the first attempt', () => {
  const { clock, connection, pending, add, outcomes } = setUp()
  add('a', { timeoutMs: undefined })
  clock.advance(WINDOW_MS * 0.6)
  pending.resend()
  clock.advance(WINDOW_MS * 0.6)
  pending.resend()
  expect(connection.sent).toEqual(['a', 'a'])
  expect([...outcomes.values()]).toEqual(['outcome_unknown'])
})

test('at the end a sent publish has an unknown outcome, and everything else is closed', () => {
  const { connection, pending, add, outcomes, clock } = setUp()
  add('sent')
  add('asked', { kind: 'command' })
  connection.connected = false
  add('unsent')
  pending.failAll(undefined)
  expect([...outcomes]).toEqual([
    ['sent', 'outcome_unknown'],
    ['asked', 'closed'],
    ['unsent', 'closed'],
  ])
  expect(clock.timers()).toBe(0)
})

test('the number of waiting requests is bounded', () => {
  const { add, outcomes } = setUp({ maxWaiting: 1 })
  add('a')
  add('b')
  expect([...outcomes]).toEqual([['b', 'too_much_waiting']])
})

const refusalOf = (id: string, code: ErrorCode, retryAfterMs?: number) =>
  ({
    request_id: id,
    status: 'error',
    error: {
      code,
      status: errorCodes[code].status,
      message: code,
      ...(retryAfterMs !== undefined && { retry_after_ms: retryAfterMs }),
    },
  }) as const

/** A publish whose first attempt was lost with its connection. */
function setUpSecondTry() {
  const all = setUp()
  all.add('a')
  all.pending.connectionLost()
  all.pending.resend()
  return all
}

test('the refusal of a first attempt is final', () => {
  const { pending, add, outcomes } = setUp()
  add('a')
  pending.settle(refusalOf('a', 'rate_limited', 50))
  expect([...outcomes.values()]).toEqual(['rate_limited'])
})

test('a second attempt refused temporarily is tried again, since the first may have succeeded', () => {
  const { clock, connection, pending, outcomes } = setUpSecondTry()
  pending.settle(refusalOf('a', 'rate_limited', 50))
  clock.advance(50)
  expect(connection.sent).toEqual(['a', 'a', 'a'])
  expect(outcomes.size).toBe(0)
  pending.settle(success('a'))
  expect([...outcomes.values()]).toEqual(['done'])
  expect(clock.timers()).toBe(0)
})

test('a second attempt refused permanently has an unknown outcome', () => {
  const { pending, outcomes } = setUpSecondTry()
  pending.settle(refusalOf('a', 'room_paused'))
  expect([...outcomes.values()]).toEqual(['outcome_unknown'])
})

test('an id conflict is final at any attempt', () => {
  const { pending, outcomes } = setUpSecondTry()
  pending.settle(refusalOf('a', 'id_conflict'))
  expect([...outcomes.values()]).toEqual(['id_conflict'])
})

test('a scheduled attempt does not outlive its connection', () => {
  const { clock, connection, pending } = setUpSecondTry()
  pending.settle(refusalOf('a', 'storage_unavailable', 50))
  pending.connectionLost()
  clock.advance(60)
  expect(connection.sent).toEqual(['a', 'a'])
  pending.resend()
  expect(connection.sent).toEqual(['a', 'a', 'a'])
})

test('a request refused by a draining server is sent to the next one', () => {
  const { clock, connection, pending, add, outcomes } = setUp()
  add('a', { timeoutMs: undefined })
  add('b', { kind: 'command', repeatable: false })
  for (const id of ['a', 'b']) pending.settle(refusalOf(id, 'shutting_down'))
  expect([...outcomes]).toEqual([['b', 'shutting_down']])
  // The window does not count from an attempt that certainly had no effect.
  clock.advance(WINDOW_MS)
  pending.connectionLost()
  pending.resend()
  expect(connection.sent).toEqual(['a', 'b', 'a'])
})

test('an id can be in use by only one request at a time', () => {
  const { add, outcomes } = setUp()
  add('a')
  add('a')
  expect([...outcomes]).toEqual([['a', 'id_conflict']])
})

test('messages to a held address wait for its release in order, and no others do', () => {
  const { connection, held, pending, add } = setUp()
  held.add('den:deep')
  add('a', { address: 'den:deep' })
  add('b', { address: 'den:open' })
  add('c', { address: 'den:deep' })
  pending.resend()
  expect(connection.sent).toEqual(['b', 'b'])
  held.clear()
  pending.release('den:deep')
  expect(connection.sent).toEqual(['b', 'b', 'a', 'c'])
})

test('if an address is not released, unsent messages fail, and sent ones have an unknown outcome', () => {
  const { connection, held, pending, add, outcomes } = setUp()
  add('sent', { address: 'den:deep' })
  held.add('den:deep')
  pending.resend()
  add('unsent', { address: 'den:deep' })
  pending.release('den:deep', new ArqonBusError('channel_not_found', 404))
  expect(connection.sent).toEqual(['sent'])
  expect(outcomes).toEqual(
    new Map([
      ['sent', 'outcome_unknown'],
      ['unsent', 'channel_not_found'],
    ]),
  )
})
