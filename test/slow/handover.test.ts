/**
 * From history to live delivery without gaps and duplicates, with a slow log: with every event that can occur between a
 * request and its reply.
 */
import { afterAll, afterEach, beforeEach, expect, test } from 'bun:test'
import { createSlowLog, eventually, type Frame, refusal, startBus, type TestClient, testClock } from '@arqonbus/testing'

const ADMIN = { authorization: 'Bearer the-key' }
const slow = createSlowLog({ recent: 0 })
const bus = await startBus({ rateLimit: null, commandRate: null, adminKey: 'the-key' }, { log: slow.forBus })
const ann = await bus.connect({ query: { client_id: 'ann' }, headers: ADMIN })
afterEach(() => slow.settle())
afterAll(() => slow.flow())

/** The result of `join_channel` in any of its forms. */
type JoinResult = { channels?: unknown; results?: unknown }

let count = 0
let room = ''
beforeEach(() => {
  room = `room${++count}`
})
const newcomer = () => bus.as(`client-${++count}`)
/** Ann publishes `count` messages, one after the other; each is in the log, and acknowledged once it is announced. */
async function say(messages: number, channel = 'talk', upTo: 'stored' | 'announced' = 'announced'): Promise<string[]> {
  const ids: string[] = []
  for (let i = 0; i < messages; i++) {
    const before = slow.waiting.arrivals
    ids.push(ann.send({ room, channel }))
    await slow.until(({ arrivals }) => arrivals === before + 1)
    slow.store()
    if (upTo === 'announced') slow.tell()
  }
  return ids
}
/** The position of message `n` in the history. */
async function positionOf(n: number, channel = 'talk'): Promise<string> {
  const history = ann.command('history', { limit: 1000 }, { room, channel })
  await asked(1)
  await slow.settle()
  return (await history).messages[n - 1]!.metadata!.position as string
}
/** Waits until this many more requests have been sent to the log. */
const asked = (questions: number) => slow.until(({ arrivals }) => arrivals >= questions)
const address = (channel = 'talk') => `${room}:${channel}`
const numberOf = (frame: Frame): number => Number(frame.metadata?.position?.split('-')[1])
const numbers = async (client: TestClient) => (await client.messages()).map(numberOf)
/** Steps until a client has received everything available. */
const catchUp = async () => {
  await eventually(async () => {
    await slow.settle()
    expect(await bus.metric('arqonbus_connections_catching_up')).toBe(0)
  })
}
const range = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, i) => first + i)
/** Waits for the next request, and replies to it at once. */
const answered = async () => {
  await asked(1)
  slow.store()
  slow.answer()
}
/** A new client that has joined from a position, and whose first page is not read yet. */
const behind = async (since: string) => {
  const client = await newcomer()
  const joined = client.command('join_channel', { channel: address(), since })
  await answered()
  expect(await joined).toMatchObject({ recovered: true })
  return client
}

test('a join delivers its reply, then missed messages, then those published meanwhile, each once and in order', async () => {
  await say(5)
  const since = await positionOf(1)
  const bob = await newcomer()
  const joined = bob.command('join_channel', { channel: address(), since })
  await asked(1)
  // While the position of the log is requested.
  const beside = say(1)
  await slow.until(({ arrivals }) => arrivals === 2)
  slow.store()
  slow.tell()
  await beside
  slow.answer()
  expect(await joined).toMatchObject({ recovered: true, missed: 5, position: expect.stringMatching(/-6$/) })
  // While the first page is read.
  await asked(1)
  slow.store()
  await say(2)
  expect(await numbers(bob)).toEqual([])
  slow.answer()
  await catchUp()
  await say(2)
  expect(await numbers(bob)).toEqual(range(2, 10))
})

test('messages that are stored but not yet announced are delivered once they are announced', async () => {
  await say(3)
  const since = await positionOf(1)
  const bob = await newcomer()
  await say(2, 'talk', 'stored')
  const joined = bob.command('join_channel', { channel: address(), since })
  await answered()
  expect(await joined).toMatchObject({ recovered: true, missed: 4, position: expect.stringMatching(/-5$/) })
  // The page has all of it.
  await answered()
  expect(await numbers(bob)).toEqual([2, 3])
  slow.tell()
  await say(1)
  expect(await numbers(bob)).toEqual([4, 5, 6])
})

test('a client that has read past the announcements of its node does not get those messages again', async () => {
  await say(2)
  const bob = await newcomer()
  await say(1, 'talk', 'stored')
  const read = bob.command('history', {}, { room, channel: 'talk' })
  await answered()
  const { last } = await read
  expect(last).toEndWith('-3')
  const joined = bob.command('join_channel', { channel: address(), since: last })
  await answered()
  expect(await joined).toMatchObject({ recovered: true, missed: 0, position: last })
  slow.tell()
  await say(1)
  await catchUp()
  expect(await numbers(bob)).toEqual([4])
})

test('a client that joins again from another position while a page is read gets nothing of that page', async () => {
  await say(6)
  const [first, fifth] = [await positionOf(1), await positionOf(5)]
  const bob = await behind(first)
  await asked(1)
  slow.store()
  const again = bob.command('join_channel', { channel: address(), since: fifth })
  await asked(1)
  slow.store()
  expect(slow.waiting.answers).toBe(2)
  // The second reply overtakes the page.
  slow.answerLast()
  expect(await again).toMatchObject({ recovered: true, missed: 1 })
  slow.answer()
  await catchUp()
  expect(await numbers(bob)).toEqual([6])
})

test('a client that leaves while a page is read gets nothing of it', async () => {
  await say(3)
  const since = await positionOf(1)
  const bob = await behind(since)
  await asked(1)
  slow.store()
  expect(await bob.command('leave_channel', { channel: address() })).toMatchObject({ left: true })
  await slow.settle()
  expect(await numbers(bob)).toEqual([])
})

test('a client that is behind moves to the position it names, and learns its position if it names none', async () => {
  await say(4)
  const [first, last] = [await positionOf(1), await positionOf(4)]
  const bob = await newcomer()
  const join = async (since?: string) => {
    const joined = bob.command('join_channel', { channel: address(), ...(since !== undefined && { since }) })
    if (since === undefined) return joined
    const before = slow.waiting.arrivals
    await asked(before + 1)
    slow.store()
    slow.answerLast()
    return joined
  }
  await join(first)
  await asked(1)
  // He is behind: the page has not arrived yet.
  expect(await join()).toMatchObject({ position: first })
  expect(await join(last)).toMatchObject({ recovered: true, missed: 0, position: last })
  await catchUp()
  await say(1)
  expect(await numbers(bob)).toEqual([5])
})

test('a client that disconnects during its join leaves no subscription behind', async () => {
  await ann.command('create_channel', { channel: address() })
  await say(2)
  const since = await positionOf(1)
  const subscriptions = await bus.metric('arqonbus_subscriptions')
  const bob = await newcomer()
  bob.command('join_channel', { channel: address(), since }).catch(() => {})
  await asked(1)
  await bob.close()
  await slow.settle()
  expect(await bus.metric('arqonbus_subscriptions')).toBe(subscriptions)
  expect(await ann.command('delete_channel', { channel: address() })).toMatchObject({ deleted: true })
})

test('a join of a channel that is deleted while its log is read fails with channel_not_found', async () => {
  await ann.command('create_channel', { channel: address() })
  await say(2)
  const since = await positionOf(1)
  const bob = await newcomer()
  const joined = refusal(bob.command('join_channel', { channel: address(), since }))
  await asked(1)
  await ann.command('delete_channel', { channel: address() })
  await slow.settle()
  expect((await joined).code).toBe('channel_not_found')
})

test('channels that are removed as idle while a log is read are created again by the join', async () => {
  const [log, clock] = [createSlowLog({ recent: 0 }), testClock()]
  const tidy = await startBus({ channelIdleMs: 20 }, { clock, log: log.forBus })
  const channels = () => tidy.metric('arqonbus_channels')
  const [builtIn, bob] = [await channels(), await tidy.as('bob')]
  const channelsToJoin = [{ channel: 'idle:one' }, { channel: 'idle:two', since: '1-1' }]
  const joined = bob.command('join_channel', { channels: channelsToJoin })
  await log.until(({ arrivals }) => arrivals >= 1)
  expect(await channels()).toBe(builtIn + 2)
  clock.advance(1000)
  await eventually(async () => expect(await channels()).toBe(builtIn))
  await log.settle()
  expect(await joined).toMatchObject({
    results: [{ channel: 'idle:one' }, { channel: 'idle:two', recovered: false, reason: 'reset' }],
  })
  expect(await channels()).toBe(builtIn + 2)
  log.flow()
})

test('a channel created while the logs of its room are read is delivered from its origin', async () => {
  await say(2)
  const since = await positionOf(1)
  const bob = await newcomer()
  const joined = bob.command('join_channel', { channel: `${room}:*`, since: { talk: since } })
  await asked(1)
  slow.store()
  await say(2, 'newborn')
  slow.answer()
  expect(((await joined) as JoinResult).channels).toMatchObject([
    { channel: address(), recovered: true, missed: 1 },
    { channel: address('newborn'), recovered: true, missed: 2 },
  ])
  await catchUp()
  const got = await bob.messages()
  expect(got.map((frame) => `${frame.channel} ${numberOf(frame)}`).toSorted()).toEqual([
    'newborn 1',
    'newborn 2',
    'talk 2',
  ])
})

test('a channel recreated while the logs of its room are read starts anew, and the reply to the join says so', async () => {
  await ann.command('create_channel', { channel: address() })
  await say(5)
  const since = await positionOf(4)
  const bob = await newcomer()
  const joined = bob.command('join_channel', { channel: `${room}:*`, since: { talk: since } })
  await asked(1)
  slow.store()
  await ann.command('delete_channel', { channel: address() })
  await say(2)
  slow.answer()
  expect(((await joined) as JoinResult).channels).toMatchObject([
    { channel: address(), recovered: false, reason: 'reset', position: expect.stringMatching(/-0$/), missed: 2 },
  ])
  await say(4)
  await catchUp()
  expect(await numbers(bob)).toEqual([1, 2, 3, 4, 5, 6])
})

test('the joins of one command take effect together with its reply', async () => {
  await say(1, 'first')
  await say(3, 'second')
  const since = await positionOf(1, 'second')
  const bob = await newcomer()
  const channels = [{ channel: address('first') }, { channel: address('second'), since }]
  bob.send({ type: 'command', payload: { name: 'join_channel', parameters: { channels } } })
  await asked(1)
  await say(1, 'first')
  slow.answer()
  const answer = await bob.next()
  expect(answer.type).toBe('command_response')
  expect((answer.payload.result as JoinResult).results).toMatchObject([
    { channel: address('first'), position: expect.stringMatching(/-2$/) },
    { channel: address('second'), recovered: true, missed: 2 },
  ])
  await catchUp()
  await say(1, 'first')
  const got = await bob.messages()
  expect(got.map((frame) => `${frame.channel} ${numberOf(frame)}`)).toEqual(['second 2', 'second 3', 'first 3'])
})

test('while the log is unreachable, a join with `since` is refused, and one without is not', async () => {
  await say(3)
  const since = await positionOf(1)
  const bob = await newcomer()
  slow.isDeaf = true
  const joined = refusal(bob.command('join_channel', { channel: address(), since }))
  await asked(1)
  await slow.settle()
  expect((await joined).code).toBe('storage_unavailable')
  expect(await bob.command('join_channel', { channel: address() })).toMatchObject({
    position: expect.stringMatching(/-3$/),
  })
  slow.isDeaf = false
  await say(1)
  expect(await numbers(bob)).toEqual([4])
})

test('a client that is behind while the log is unreachable gets everything once it can be read', async () => {
  await say(3)
  const since = await positionOf(1)
  const bob = await behind(since)
  slow.isDeaf = true
  for (let tries = 0; tries < 2; tries++) {
    await asked(1)
    await slow.settle()
  }
  slow.isDeaf = false
  await catchUp()
  await say(1)
  expect(await numbers(bob)).toEqual([2, 3, 4])
})

test('a client that falls off the log while behind is closed with 4429 after everything before that, in order', async () => {
  await ann.command('create_channel', { channel: address(), options: { history_size: 3 } })
  await say(3)
  const since = await positionOf(1)
  const bob = await behind(since)
  await asked(1)
  await say(4)
  await slow.settle()
  expect((await bob.closed).code).toBe(4429)
  expect(bob.frames.filter(({ type }) => type === 'event').map(numberOf)).toEqual([2, 3])
})

test('at most 64 logs are read at once, and every client has its turn', async () => {
  await say(2)
  const since = await positionOf(1)
  const clients = await Promise.all(Array.from({ length: 70 }, newcomer))
  const joins = clients.map((client) => client.command('join_channel', { channel: address(), since }))
  await asked(70)
  slow.store()
  slow.answer()
  await Promise.all(joins)
  await eventually(async () => expect(await bus.metric('arqonbus_connections_catching_up')).toBe(70))
  expect(slow.waiting.arrivals).toBe(64)
  await catchUp()
  for (const client of clients) expect(await numbers(client)).toEqual([2])
})
