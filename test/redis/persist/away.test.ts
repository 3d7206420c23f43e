/**
 * Rooms, channels and sessions during an outage of Redis, and after it (docs/protocol.md#while-the-log-is-unavailable).
 */
import { describe, expect, setDefaultTimeout, test } from 'bun:test'
import { eventually, readMetric, refusal, type TestBus, withProgram } from '@arqonbus/testing'
import { openProxy } from '../../support/tcp-proxy.ts'
import { as, asAdmin, channelsOf, comeBack, createFixture, roomOf } from './fixture.ts'

// Each test starts several processes.
setDefaultTimeout(120_000)

withProgram('redis-server', 'with Redis', () => {
  // With another setting Redis may write late on a busy disk, and lose what it had confirmed when it is killed.
  const fixture = createFixture({ appendfsync: 'always' })
  const { recordOf, start } = fixture

  describe('outages of Redis', () => {
    const isDegraded = (bus: TestBus) => eventually(async () => expect(await available(bus)).toBe(0))
    const isBack = (bus: TestBus) => eventually(async () => expect(await available(bus)).toBe(1))
    const available = (bus: TestBus) => bus.metric('arqonbus_storage_available')

    test('while Redis is unreachable rooms and channels can be changed, and the changes are stored when it returns', async () => {
      const bus = await start()
      const ann = await bus.as('ann')
      await ann.command('create_channel', { channel: 'science:early' })
      await fixture.redis.kill()
      await isDegraded(bus)
      await ann.command('create_channel', { channel: 'science:late' })
      await ann.command('delete_channel', { channel: 'science:early' })
      await fixture.redis.restart()
      await isBack(bus)
      await bus.drain('the test')
      const again = await start()
      expect(await channelsOf(await again.as('ann'), 'science')).toEqual(['late'])
      await again.drain('the test')
    })

    test('records that are not stored when the server ends are counted and logged', async () => {
      const bus = await fixture.startProcess({ ARQONBUS_DRAIN_TIMEOUT: '100ms' })
      const ann = await as(bus, 'ann')
      await eventually(() => recordOf('ann'))
      const unstored = () => readMetric(bus.httpUrl, 'arqonbus_unstored_records')
      await eventually(async () => expect(await unstored()).toBe(0))
      await fixture.redis.kill()
      await eventually(async () => expect(await readMetric(bus.httpUrl, 'arqonbus_storage_available')).toBe(0))
      await ann.command('create_channel', { channel: 'science:late' })
      // The room, and the channel.
      expect(await unstored()).toBe(2)
      await bus.stop('SIGTERM')
      // And the session that ended with the connection.
      expect(bus.output()).toMatch(/"event":"records_lost","count":3,"reason":"the storage is away"/)
    })

    test('in strict mode changes of rooms and channels are refused while Redis is unreachable', async () => {
      const bus = await start({ storageMode: 'strict' })
      const ann = await bus.as('ann')
      await fixture.redis.kill()
      await isDegraded(bus)
      const refused = await refusal(ann.command('create_channel', { channel: 'science:late' }))
      expect(refused).toMatchObject({ code: 'storage_unavailable', retry_after_ms: expect.any(Number) })
      await fixture.redis.restart()
      await isBack(bus)
      await ann.command('create_channel', { channel: 'science:late' })
      await bus.drain('the test')
    })

    test('a server that starts without Redis restores its rooms and channels later, and these prevail over new ones', async () => {
      const bus = await start()
      const ann = await bus.as('ann')
      await ann.command('create_channel', { channel: 'science:old' })
      await ann.command('create_channel', {
        channel: 'science:secret',
        type: 'private',
        metadata: { members: ['bob'] },
      })
      await ann.publish({ room: 'science', channel: 'secret', payload: { n: 1 } })
      await bus.drain('the test')
      await fixture.redis.kill()

      const again = await start()
      const maker = await again.as('maker')
      const [bob, eve] = [await again.as('bob', 'science:secret'), await again.as('eve', 'science:secret')]
      await maker.command('create_channel', { channel: 'science:new' })
      await fixture.redis.restart()
      await isBack(again)

      // Her session could not be looked up before.
      const later = await again.as('ann')
      expect((await channelsOf(later, 'science')).toSorted()).toEqual(['new', 'old', 'secret'])
      expect((await channelsOf(eve, 'science')).toSorted()).toEqual(['new', 'old'])
      const { channel } = await later.command('channel_info', { channel: 'science:secret' })
      expect(channel).toMatchObject({ type: 'private', created_by: 'ann', participants: ['bob'] })
      expect(await refusal(eve.command('history', { channel: 'science:secret' }))).toMatchObject({ code: 'forbidden' })
      await later.publish({ room: 'science', channel: 'secret', payload: { n: 2 } })
      expect(await bob.next((frame) => frame.type === 'event')).toMatchObject({ payload: { n: 2 } })
      expect(await eve.messages()).toEqual([])
      await again.drain('the test')
      const last = await start()
      expect((await channelsOf(await last.as('ann'), 'science')).toSorted()).toEqual(['new', 'old', 'secret'])
      await last.drain('the test')
    })

    test('records that Redis has lost are written again after the connection was cut', async () => {
      const bus = await start()
      const ann = await bus.as('ann')
      await ann.command('create_channel', { channel: 'science:kept' })
      const keys = async () => (await fixture.redis.command('KEYS', '*@channels:science')) as string[]
      await eventually(async () => expect(await keys()).toHaveLength(1))
      const [key] = (await keys()) as [string]
      await fixture.redis.command('DEL', key)
      await fixture.redis.command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
      await eventually(async () => expect(await fixture.redis.command('HKEYS', key)).toEqual(['kept']))
      await bus.drain('the test')
    })

    test('a channel made private at another node during an outage is private, and clients without access leave it', async () => {
      const here = await start()
      const ann = await here.as('ann')
      const proxy = openProxy(fixture.redis.url)
      const there = await start({ redisUrl: proxy.url })
      await isBack(there)
      // From now on it cannot connect to Redis.
      proxy.leadTo('redis://127.0.0.1:1')
      proxy.cut()
      await isDegraded(there)
      const [bob, eve] = [await there.as('bob', 'lab:secret'), await there.as('eve', 'lab:secret')]
      await ann.command('create_channel', { channel: 'lab:secret', type: 'private', metadata: { members: ['bob'] } })
      await ann.publish({ room: 'lab', channel: 'secret', payload: { n: 1 }, metadata: { ack: 'stored' } })
      proxy.leadTo(fixture.redis.url)
      await isBack(there)
      expect(await refusal(eve.publish({ room: 'lab', channel: 'secret' }))).toMatchObject({ code: 'forbidden' })
      const { messages } = await bob.command('history', { channel: 'lab:secret' })
      expect(messages).toMatchObject([{ payload: { n: 1 } }])
      await ann.publish({ room: 'lab', channel: 'secret', payload: { n: 2 } })
      expect(await bob.next(({ type }) => type === 'event')).toMatchObject({ payload: { n: 2 } })
      expect(await eve.messages()).toEqual([])
      for (const bus of [here, there]) await bus.drain('the test')
      proxy.close()
      const later = await start()
      const { channel } = await (await later.as('ann')).command('channel_info', { channel: 'lab:secret' })
      expect(channel).toMatchObject({ type: 'private', created_by: 'ann' })
      await later.drain('the test')
    })

    test('a join of a room with very many channels is refused and ends nothing else', async () => {
      const bus = await fixture.startProcess({ ARQONBUS_RATE_LIMIT: 'off' })
      const ann = await as(bus, 'ann')
      const since: Record<string, string> = { gone: '1000-1' }
      const channels = Array.from({ length: 900 }, (_, n) => `c${n}`)
      const published = await Promise.all(channels.map((channel) => ann.publish({ room: 'many', channel })))
      for (const [n, { position }] of published.entries()) since[channels[n]!] = position!
      await fixture.redis.kill()
      await eventually(async () => expect(await readMetric(bus.httpUrl, 'arqonbus_storage_available')).toBe(0))
      // So many at once that the work on one is interrupted, and continues in a later turn.
      const joins = Array.from({ length: 100 }, () => ann.command('join_channel', { channel: 'many:*', since }))
      for (const joined of joins) expect(await refusal(joined)).toMatchObject({ code: 'storage_unavailable' })
      await ann.command('ping')
      await bus.stop('SIGKILL')
    })

    test('a Redis that returns empty gets all records again', async () => {
      const bus = await start()
      const ann = await bus.as('ann', 'science:a')
      await ann.command('create_channel', { channel: 'science:b' })
      await ann.command('pause_room', { room: 'science', ...asAdmin })
      await fixture.redis.command('FLUSHALL')
      await fixture.redis.restart()
      await isBack(bus)
      await eventually(async () => expect(await recordOf('ann')).toMatchObject({ subscriptions: ['science:a'] }))
      await bus.drain('the test')
      const again = await start()
      const later = await comeBack(ann, again)
      expect(later.welcome).toMatchObject({ resumed: true, kept_subscriptions: ['science:a'] })
      expect(await roomOf(later, 'science')).toMatchObject({ state: 'paused', channels: ['a', 'b'] })
      await again.drain('the test')
    })
  })
})
