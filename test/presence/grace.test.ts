/** A client that returns soon has never left (docs/protocol.md#presence). */
import { beforeEach, describe, expect, test } from 'bun:test'
import { type ManualBus, startManualBus } from '../support/manual-bus.ts'
import { comeBack, EVENT_MS, event, leftBus, member, nextPresence, presenceOf } from './fixture.ts'

const CHANNEL = 'science:explore'
const GRACE_MS = 15_000
const ADMIN_KEY = 'a-key-for-the-tests'
let bus: ManualBus
beforeEach(async () => {
  bus = await startManualBus({ adminKey: ADMIN_KEY })
})

async function watcher(channel = CHANNEL) {
  const ada = await bus.as('ada')
  await ada.command('join_channel', { channel, presence: true })
  return ada
}

test('a client that returns within the grace and joins again was there all the time', async () => {
  const [bob, ada] = [await bus.as('bob', CHANNEL), await watcher()]
  await leftBus(bus, bob)
  bus.pass(GRACE_MS - 1)
  expect(await presenceOf(ada)).toEqual([])
  expect(await ada.command('presence', { channel: CHANNEL })).toMatchObject({
    count: 2,
    members: [member('ada'), member('bob')],
  })
  const back = await comeBack(bus, bob)
  await back.command('join_channel', { channel: CHANNEL })
  bus.pass(GRACE_MS)
  expect(await presenceOf(ada)).toEqual([])
  expect(await ada.command('presence', { channel: CHANNEL })).toMatchObject({ count: 2 })
})

test('a client that does not return has left when the grace is over', async () => {
  const [bob, ada] = [await bus.as('bob', CHANNEL), await watcher()]
  await leftBus(bus, bob)
  bus.pass(GRACE_MS)
  bus.pass(EVENT_MS)
  expect(await presenceOf(ada)).toEqual([event(1, { left: ['bob'] })])
})

test('a client that returns and does not join again has left when the grace is over', async () => {
  const [bob, ada] = [await bus.as('bob', CHANNEL), await watcher()]
  await leftBus(bus, bob)
  await comeBack(bus, bob)
  bus.pass(GRACE_MS)
  bus.pass(EVENT_MS)
  expect(await presenceOf(ada)).toEqual([event(1, { left: ['bob'] })])
})

test('a client that departs twice has the whole grace each time', async () => {
  const [bob, ada] = [await bus.as('bob', CHANNEL), await watcher()]
  await leftBus(bus, bob)
  bus.pass(GRACE_MS - 1000)
  const back = await comeBack(bus, bob)
  await back.command('join_channel', { channel: CHANNEL })
  await leftBus(bus, back)
  bus.pass(GRACE_MS - 1000)
  expect(await presenceOf(ada)).toEqual([])
  bus.pass(1000)
  bus.pass(EVENT_MS)
  expect(await presenceOf(ada)).toEqual([event(1, { left: ['bob'] })])
})

test('watchers that all lose their connections and return find each other as they were', async () => {
  const [ada, bob] = [await watcher(), await bus.as('bob')]
  await bob.command('join_channel', { channel: CHANNEL, presence: true })
  await nextPresence(bus, ada)
  await leftBus(bus, ada)
  await leftBus(bus, bob)
  bus.pass(1000)
  const again = await comeBack(bus, ada)
  const joined = await again.command('join_channel', { channel: CHANNEL })
  expect(joined).toMatchObject({ presence: { count: 2, members: [member('ada'), member('bob')] } })
  const bobAgain = await comeBack(bus, bob)
  await bobAgain.command('join_channel', { channel: CHANNEL })
  bus.pass(GRACE_MS)
  expect([await presenceOf(again), await presenceOf(bobAgain)]).toEqual([[], []])
})

describe('without grace', () => {
  test('a client that leaves the channel is gone at once', async () => {
    const [bob, ada] = [await bus.as('bob', CHANNEL), await watcher()]
    await bob.command('leave_channel', { channel: CHANNEL })
    expect(await nextPresence(bus, ada)).toEqual([event(1, { left: ['bob'] })])
  })

  test('a client that an admin disconnects is gone at once', async () => {
    const [bob, ada] = [await bus.as('bob', CHANNEL), await watcher()]
    await ada.command('disconnect_client', { client_id: 'bob', admin_key: ADMIN_KEY })
    await bob.closed
    expect(await nextPresence(bus, ada)).toEqual([event(1, { left: ['bob'] })])
  })

  test('another client that takes the id, when the session has ended, is a new one', async () => {
    const brief = await startManualBus({ sessionTtlMs: 5000 })
    const [bob, ada] = [await brief.as('bob', CHANNEL), await brief.as('ada')]
    await ada.command('join_channel', { channel: CHANNEL, presence: true })
    await bob.command('set_presence', { channel: CHANNEL, status: { state: 'busy' } })
    await nextPresence(brief, ada)
    await leftBus(brief, bob)
    brief.pass(5000)
    expect(await presenceOf(ada)).toEqual([])
    const other = await brief.as('bob')
    expect(await nextPresence(brief, ada)).toEqual([event(1, { left: ['bob'] })])
    expect(await other.command('join_channel', { channel: CHANNEL, presence: true })).toMatchObject({
      presence: { members: [member('ada'), member('bob')] },
    })
  })

  test('with ARQONBUS_PRESENCE_GRACE=0 a client leaves with its connection', async () => {
    const strict = await startManualBus({ presenceGraceMs: 0 })
    const [ada, bob] = [await strict.as('ada'), await strict.as('bob', CHANNEL)]
    await ada.command('join_channel', { channel: CHANNEL, presence: true })
    await leftBus(strict, bob)
    expect(await nextPresence(strict, ada)).toEqual([event(1, { left: ['bob'] })])
  })
})

test('a client with visible and invisible joins in a room has the grace too', async () => {
  const [bob, ada] = [await bus.as('bob', 'science:a'), await watcher('science:*')]
  for (const channel of ['science:b', 'science:c']) await bob.command('join_channel', { channel, invisible: true })
  await leftBus(bus, bob)
  bus.pass(GRACE_MS - 1)
  expect(await presenceOf(ada)).toEqual([])
  expect(await ada.command('presence', { channel: 'science:*' })).toMatchObject({ count: 2 })
  bus.pass(1)
  bus.pass(EVENT_MS)
  expect(await presenceOf(ada)).toEqual([event(1, { left: ['bob'] })])
})

test('in a room, too, a client that returns within the grace was there all the time', async () => {
  const [bob, ada] = [await bus.as('bob', 'science:a', 'science:b'), await watcher('science:*')]
  await leftBus(bus, bob)
  const back = await comeBack(bus, bob)
  await back.command('join_channel', { channel: 'science:a' })
  bus.pass(GRACE_MS)
  expect(await presenceOf(ada)).toEqual([])
  await leftBus(bus, back)
  bus.pass(GRACE_MS)
  bus.pass(EVENT_MS)
  expect(await presenceOf(ada)).toEqual([event(1, { left: ['bob'] })])
})
