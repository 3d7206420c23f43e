/**
 * A server that starts before its Redis, and sessions that are presented meanwhile: nothing stored becomes unreachable.
 */
import { describe, expect, setDefaultTimeout, test } from 'bun:test'
import { connect as connectClient } from '@arqonbus/client'
import { eventually, open, refusal, type TestBus, type TestClient, withProgram } from '@arqonbus/testing'
import { as as calledBy, caller, messagesOf } from '../../api/call.ts'
import { openProxy } from '../../support/tcp-proxy.ts'
import { asAdmin, comeBack, createFixture, roomOf } from './fixture.ts'

setDefaultTimeout(120_000)

withProgram('redis-server', 'with Redis', () => {
  const fixture = createFixture({ appendfsync: 'always' })
  const { recordOf, start } = fixture
  const available = (bus: TestBus) => bus.metric('arqonbus_storage_available')
  const isBack = (bus: TestBus) => eventually(async () => expect(await available(bus)).toBe(1))
  const inboxOf = async (client: TestClient) =>
    (await client.command('history', { channel: 'arqonbus:inbox' })).messages.map(({ payload }) => payload.n)
  const toBob = (sender: TestClient, n: number) =>
    sender.publish({ type: 'private', channel: 'pm', payload: { n }, metadata: { to: 'bob', ack: 'disk' } })
  const presented = ({ id, welcome }: TestClient, bus: TestBus) =>
    open(bus.busUrl, { query: { client_id: id }, headers: { 'arqonbus-session': welcome.session } })
  const isTemporary = { code: 'storage_unavailable', status: 503, retry_after_ms: expect.any(Number) }

  /**
   * Stops a bus with Bob disconnected, three stored private messages for him, and its Redis stopped; starts the next
   * bus, which has never been connected to Redis.
   */
  const restartWithoutRedis = async () => {
    const before = await start()
    const [ann, bob] = [await before.as('ann'), await before.as('bob', 'science:a')]
    for (const n of [1, 2, 3]) await toBob(ann, n)
    await eventually(async () => expect(await recordOf('bob')).toMatchObject({ subscriptions: ['science:a'] }))
    await before.drain('the test')
    await fixture.redis.kill()
    return { ann, bob, bus: await start() }
  }

  test('the ports open once what is stored is restored, so a server that still starts accepts no connections', async () => {
    const before = await start()
    await (await before.as('ann')).command('create_channel', { channel: 'old:a' })
    await before.drain('the test')
    const proxy = openProxy(fixture.redis.url)
    proxy.stall()
    // Ports that the previous server had: a server that listens at a port of its choice cannot be asked too early.
    const [httpPort, port] = [before.httpUrl, before.busUrl].map((url) => Number(new URL(url).port))
    const starting = start({ redisUrl: proxy.url, httpPort: httpPort!, port: port! })
    await eventually(() => expect(proxy.connections).toBeGreaterThan(0))
    for (const path of ['/ready', '/health']) await expect(fetch(`${before.httpUrl}${path}`)).rejects.toThrow()
    await expect(before.as('bob')).rejects.toThrow()
    proxy.flow()
    const bus = await starting
    expect((await fetch(`${bus.httpUrl}/ready`)).status).toBe(200)
    expect(await (await fetch(`${bus.httpUrl}/health`)).json()).toMatchObject({ status: 'ok', reasons: [] })
    expect(await roomOf(await bus.as('ann'), 'old')).toMatchObject({ channel_count: 1 })
    await bus.drain('the test')
    proxy.close()
  })

  describe('unknown sessions during an outage of Redis', () => {
    test('while Redis is unreachable an unknown session is refused temporarily, and resumed with its inbox afterwards', async () => {
      const { bob, bus } = await restartWithoutRedis()
      const early = presented(bob, bus)
      expect((await early.answer(null)).error).toMatchObject(isTemporary)
      expect(await early.closed).toMatchObject({ code: 1013 })
      expect(await bus.metric('arqonbus_connections_refused_total{reason="storage_unavailable"}')).toBe(1)
      await fixture.redis.restart()
      await isBack(bus)
      const later = await comeBack(bob, bus)
      expect(later.welcome).toMatchObject({ resumed: true, kept_subscriptions: ['science:a'] })
      expect(await inboxOf(later)).toEqual([1, 2, 3])
      await bus.drain('the test')
    })

    test('an unknown session is refused within the Redis timeout if Redis does not reply', async () => {
      const [here, there] = [await start(), await start({ redisTimeoutMs: 500 })]
      const before = await here.as('ann')
      await eventually(() => recordOf('ann'))
      fixture.redis.pause()
      const early = presented(before, there)
      expect((await early.answer(null)).error).toMatchObject(isTemporary)
      fixture.redis.resume()
      for (const bus of [here, there]) await isBack(bus)
      expect((await comeBack(before, there)).welcome.resumed).toBeTrue()
      for (const bus of [here, there]) await bus.drain('the test')
    })

    test('while Redis is unreachable an unknown session is refused as temporary by HTTP', async () => {
      const { bob, bus } = await restartWithoutRedis()
      const headers = { ...calledBy('bob'), 'arqonbus-session': bob.welcome.session }
      const called = await caller(bus.httpUrl)(messagesOf('arqonbus', 'inbox'), { headers })
      expect(called).toMatchObject({ status: 503, body: { error: isTemporary } })
      expect(called.headers.get('retry-after')).toBe('1')
      await fixture.redis.restart()
      await isBack(bus)
      const later = await caller(bus.httpUrl)(messagesOf('arqonbus', 'inbox'), { headers })
      expect(later.body.messages.map(({ payload }: { payload: { n: number } }) => payload.n)).toEqual([1, 2, 3])
      await bus.drain('the test')
    })

    test('a session refused while Redis is unreachable is retried by the TypeScript client, even on its first connection', async () => {
      const { bob, bus } = await restartWithoutRedis()
      const options = { url: bus.busUrl, clientId: 'bob', session: bob.welcome.session }
      const refused = () => bus.metric('arqonbus_connections_refused_total{reason="storage_unavailable"}')
      const connecting = connectClient({ ...options, reconnect: { maxDelayMs: 20 } })
      await eventually(async () => expect(await refused()).toBeGreaterThan(0))
      await fixture.redis.restart()
      const client = await connecting
      expect(client.welcome.resumed).toBeTrue()
      // A Redis that is slow at its start may count as unreachable once more.
      await eventually(async () => {
        const page = await client.history('arqonbus:inbox')
        expect(page).toMatchObject({ messages: [1, 2, 3].map((n) => ({ payload: { n } })) })
      })
      await client.close()
      await bus.drain('the test')
    })
  })

  describe('client ids that are taken during an outage of Redis', () => {
    test('a client id taken while Redis was unreachable returns to the client with its session, and both keep their inboxes', async () => {
      const { bob, bus } = await restartWithoutRedis()
      const other = await bus.connect({ query: { client_id: 'bob', join: 'science:b' } })
      await fixture.redis.restart()
      await isBack(bus)
      // Private messages reach the client that has the id now.
      const ann = await bus.as('cid')
      await toBob(ann, 4)
      expect(await inboxOf(other)).toEqual([4])

      const back = await comeBack(bob, bus)
      expect(back.welcome).toMatchObject({ resumed: true, kept_subscriptions: ['science:a'] })
      expect(await other.closed).toMatchObject({ code: 4410 })
      expect(await inboxOf(back)).toEqual([1, 2, 3])
      await toBob(ann, 5)
      expect(await inboxOf(back)).toEqual([1, 2, 3, 5])
      await back.close()

      // After a restart too: neither session has replaced the other.
      await bus.drain('the test')
      const again = await start()
      const second = await comeBack(other, again)
      expect(second.welcome).toMatchObject({ resumed: true, kept_subscriptions: ['science:b'] })
      expect(await inboxOf(second)).toEqual([4])
      await second.close()
      const first = await comeBack(bob, again)
      expect(first.welcome.resumed).toBeTrue()
      expect(await inboxOf(first)).toEqual([1, 2, 3, 5])
      await again.drain('the test')
    })

    test('a client id taken while Redis was unreachable is in use for a call by HTTP, which takes nothing over', async () => {
      const { bob, bus } = await restartWithoutRedis()
      const other = await bus.brief('bob')
      await fixture.redis.restart()
      await isBack(bus)
      const headers = { ...calledBy('bob'), 'arqonbus-session': bob.welcome.session }
      const read = () => caller(bus.httpUrl)(messagesOf('arqonbus', 'inbox'), { headers })
      expect(await read()).toMatchObject({ status: 409, body: { error: { code: 'client_id_in_use' } } })
      await other.close()
      const { body } = await eventually(async () => {
        const called = await read()
        expect(called.status).toBe(200)
        return called
      })
      expect(body.messages.map(({ payload }: { payload: { n: number } }) => payload.n)).toEqual([1, 2, 3])
      await bus.drain('the test')
    })
  })

  describe('unknown state during an outage of Redis', () => {
    test('while Redis is unreachable, rooms, channels and clients that may be stored are never reported as missing', async () => {
      const before = await start()
      const ann = await before.as('ann')
      await before.as('bob')
      await ann.publish({ room: 'old', channel: 'a', payload: { n: 1 }, metadata: { ack: 'disk' } })
      await ann.command('pause_room', { room: 'old', ...asAdmin })
      await eventually(() => recordOf('bob'))
      await before.drain('the test')
      await fixture.redis.kill()

      const bus = await start()
      const later = await bus.as('eve')
      for (const [name, parameters] of [
        ['history', { channel: 'old:a' }],
        ['history', { channel: 'old:*' }],
        ['channel_info', { channel: 'old:a' }],
        ['delete_channel', { channel: 'old:a' }],
        ['list_rooms', { room: 'old' }],
        ['list_channels', { room: 'old' }],
        ['resume_room', { room: 'old', ...asAdmin }],
        ['create_channel', { channel: 'old:a', type: 'private' }],
      ] as const)
        expect([name, await refusal(later.command(name, parameters))]).toEqual([
          name,
          expect.objectContaining(isTemporary),
        ])
      const toAway = later.publish({ type: 'private', channel: 'pm', metadata: { to: 'bob' } })
      expect(await refusal(toAway)).toMatchObject(isTemporary)
      const byHttp = await caller(bus.httpUrl)(messagesOf('old', 'a'))
      expect(byHttp).toMatchObject({ status: 503, body: { error: isTemporary } })

      await fixture.redis.restart()
      await isBack(bus)
      expect((await later.command('history', { channel: 'old:a' })).messages).toMatchObject([{ payload: { n: 1 } }])
      expect(await roomOf(later, 'old')).toMatchObject({ state: 'paused' })
      expect(await later.publish({ type: 'private', channel: 'pm', metadata: { to: 'bob' } })).toMatchObject({
        durability: 'disk',
      })
      await bus.drain('the test')
    })
  })
})
