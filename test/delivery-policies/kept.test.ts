/** The options of a subscription last until its client changes them: over joins, sessions and restarts. */
import { beforeEach, expect, setDefaultTimeout, test } from 'bun:test'
import { isMessage, redisPerTest, startBus, type TestBus, type TestClient, withProgram } from '@arqonbus/testing'
import { type ManualBus, startManualBus } from '../support/manual-bus.ts'

// Some of these start Redis, or publish many messages.
setDefaultTimeout(60_000)

const CHANNEL = 'science:explore'
let bus: ManualBus
beforeEach(async () => {
  bus = await startManualBus()
})

const resume = (on: TestBus, { id, welcome }: TestClient, live = false) =>
  on.connect({
    query: { client_id: id, ...(live && { resume: 'live' }) },
    headers: { 'arqonbus-session': welcome.session },
  })

/** True where a client gets the first and the last of three messages. */
async function isSampled(on: ManualBus, client: TestClient): Promise<boolean> {
  const ann = await on.connect()
  // A period that is open ends, and the one after it.
  for (let i = 0; i < 2; i++) on.pass(200)
  client.frames.splice(0)
  for (const i of [1, 2, 3]) await ann.publish({ channel: 'explore', payload: { i } })
  const atOnce = (await client.messages()).map(({ payload }) => payload.i)
  on.pass(200)
  const later = (await client.messages()).map(({ payload }) => payload.i)
  expect([...atOnce, ...later]).toEqual(atOnce.length === 1 ? [1, 3] : [1, 2, 3])
  return atOnce.length === 1
}

test('a second join keeps the policy that it does not name, changes one that it names, and ends it with "all"', async () => {
  const bob = await bus.as('bob', CHANNEL)
  const join = (parameters: object) => bob.command('join_channel', { channel: CHANNEL, ...parameters })
  expect(await isSampled(bus, bob)).toBe(false)
  await join({ delivery: { sample_ms: 200 } })
  expect(await isSampled(bus, bob)).toBe(true)
  await join({})
  expect(await isSampled(bus, bob)).toBe(true)
  await join({ delivery: 'latest' })
  expect(await isSampled(bus, bob)).toBe(false)
  await join({ delivery: { sample_ms: 200 } })
  await join({ delivery: 'all' })
  expect(await isSampled(bus, bob)).toBe(false)
})

test('what a policy still held comes when the policy ends', async () => {
  const [ann, bob] = [await bus.as('ann'), await bus.as('bob')]
  await bob.command('join_channel', { channel: CHANNEL, delivery: { sample_ms: 60_000 } })
  for (const i of [1, 2, 3]) await ann.publish({ channel: 'explore', payload: { i } })
  await bob.command('join_channel', { channel: CHANNEL, delivery: 'all' })
  await ann.publish({ channel: 'explore', payload: { i: 4 } })
  await bob.next(({ payload }) => payload.i === 4)
  expect(bob.frames.filter(isMessage).map(({ payload }) => payload.i)).toEqual([1, 3])
})

test('a resumed session keeps the policy, live at once or with a join that names none', async () => {
  const bob = await bus.as('bob')
  await bob.command('join_channel', { channel: CHANNEL, delivery: { sample_ms: 200 } })
  await bob.close()
  const live = await resume(bus, bob, true)
  expect(live.welcome.subscriptions).toEqual([CHANNEL])
  expect(await isSampled(bus, live)).toBe(true)
  await live.close()
  const joining = await resume(bus, bob)
  expect(joining.welcome.kept_subscriptions).toEqual([CHANNEL])
  await joining.command('join_channel', { channel: CHANNEL })
  expect(await isSampled(bus, joining)).toBe(true)
  await joining.command('leave_channel', { channel: CHANNEL })
  await joining.command('join_channel', { channel: CHANNEL })
  expect(await isSampled(bus, joining)).toBe(false)
})

test('a subscription to the room delivers its channels by its own policy, until it ends', async () => {
  const bob = await bus.as('bob')
  await bob.command('join_channel', { channel: CHANNEL, delivery: { sample_ms: 200 } })
  await bob.command('join_channel', { channel: 'science:*' })
  expect(await isSampled(bus, bob)).toBe(false)
  await bob.command('leave_channel', { channel: 'science:*' })
  expect(await isSampled(bus, bob)).toBe(true)
})

test('a private channel of a room is delivered by the policy of the room, or by its own where it was joined', async () => {
  const bob = await bus.as('bob')
  await bob.command('create_channel', { channel: CHANNEL, type: 'private' })
  await bob.command('join_channel', { channel: 'science:*', delivery: { sample_ms: 200 } })
  const sampled = async () => {
    for (let i = 0; i < 2; i++) bus.pass(200)
    bob.frames.splice(0)
    for (const i of [1, 2, 3]) await bob.publish({ channel: 'explore', payload: { i } })
    return (await bob.messages()).length === 1
  }
  expect(await sampled()).toBe(true)
  await bob.command('join_channel', { channel: CHANNEL, delivery: 'all' })
  expect(await sampled()).toBe(false)
  await bob.command('leave_channel', { channel: CHANNEL })
  expect(await sampled()).toBe(true)
  await bob.command('join_channel', { channel: 'science:*', delivery: 'all' })
  expect(await sampled()).toBe(false)
})

withProgram('redis-server', 'sessions in Redis', () => {
  const startRedis = redisPerTest()

  test('a session keeps the options of its subscriptions over a restart', async () => {
    const redisUrl = (await startRedis()).url
    const before = await startBus({ redisUrl })
    const bob = await before.as('bob')
    await bob.command('join_channel', { channel: CHANNEL })
    // The change alone is stored too.
    await bob.command('join_channel', { channel: CHANNEL, delivery: { sample_ms: 60_000 }, presence: true })
    await before.drain('the test')
    const after = await startBus({ redisUrl })
    const back = await resume(after, bob, true)
    expect(back.welcome.subscriptions).toEqual([CHANNEL])
    const ann = await after.as('ann')
    for (const i of [1, 2, 3]) await ann.publish({ channel: 'explore', payload: { i } })
    expect((await back.messages()).map(({ payload }) => payload.i)).toEqual([1])
    expect(await back.command('join_channel', { channel: CHANNEL })).toMatchObject({
      presence: { count: 1, members: [{ client_id: 'bob' }] },
    })
  })
})
