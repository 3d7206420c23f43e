/** What else survives a restart: rooms, channels and sessions (protocol §4, §6). */
import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import type { ConnectOptions, TestBus, TestClient, TestRedis } from '@arqonbus/testing'
import { connect, eventually, open, refusal, startBus, startRedis, testClock, withProgram } from '@arqonbus/testing'
import { type BusProcess, startBusProcess } from '../support/bus-process.ts'

const adminKey = 'correct-horse-battery-staple'
const asAdmin = { admin_key: adminKey }

withProgram('redis-server', 'with Redis', () => {
  let redis: TestRedis
  beforeEach(async () => {
    redis = await startRedis()
  })
  afterEach(() => redis.stop())

  const start = (config: Parameters<typeof startBus>[0] = {}, options: Parameters<typeof startBus>[1] = {}) =>
    startBus({ redisUrl: redis.url, redisTimeoutMs: 500, adminKey, ...config }, options)
  const startProcess = () =>
    startBusProcess({ settings: { ARQONBUS_REDIS_URL: redis.url, ARQONBUS_ADMIN_KEY: adminKey } })
  const killed = async (bus: BusProcess) => {
    await bus.stop('SIGKILL')
    return startProcess()
  }
  const as = (bus: BusProcess, id: string, ...join: string[]) => connect(bus.busUrl, { query: { client_id: id, join } })
  const comeBack = ({ id, welcome }: TestClient, to: { busUrl: string }, query: ConnectOptions['query'] = {}) =>
    connect(to.busUrl, { query: { client_id: id, ...query }, headers: { 'arqonbus-session': welcome.session } })
  /** What Redis has of a session. */
  const recordOf = async (id: string): Promise<Record<string, unknown>> => {
    const [key] = (await redis.command('KEYS', `*@session:${id}`)) as string[]
    return JSON.parse(String(await redis.command('GET', key!)))
  }
  const channelsOf = async (client: TestClient, room: string) =>
    (await client.command('list_channels', { room })).channels.map(({ name }) => name)
  const roomOf = async (client: TestClient, room: string) =>
    (await client.command('status')).rooms.find(({ name }) => name === room)

  describe('rooms and channels', () => {
    test('are after a crash what they were: a channel that was created right before it too', async () => {
      const bus = await startProcess()
      const ann = await as(bus, 'ann')
      await ann.command('create_channel', { channel: 'science:open', room_config: { topic: 'all' } })
      const { channel } = await ann.command('create_channel', {
        channel: 'science:secret',
        type: 'private',
        metadata: { members: ['bob'], purpose: 'x' },
        options: { history_size: 7, max_participants: 3 },
      })
      const room = await roomOf(ann, 'science')
      const again = await killed(bus)

      const [later, bob, eve] = [await as(again, 'ann'), await as(again, 'bob'), await as(again, 'eve')]
      expect(await roomOf(later, 'science')).toEqual(room!)
      const info = await later.command('channel_info', { channel: 'science:secret' })
      const { participant_count: _, ...kept } = channel
      expect(info.channel).toMatchObject(kept)
      expect(kept).toMatchObject({ type: 'private', created_by: 'ann', options: { history_size: 7 } })
      await bob.command('join_channel', { channel: 'science:secret' })
      expect(await refusal(eve.command('join_channel', { channel: 'science:secret' }))).toMatchObject({
        code: 'forbidden',
      })
      expect(await channelsOf(eve, 'science')).toEqual(['open'])
      await again.stop('SIGKILL')
    })

    test('stay deleted and paused, and go on when they are resumed', async () => {
      const bus = await startProcess()
      const ann = await as(bus, 'ann')
      for (const channel of ['quiet:a', 'quiet:b', 'gone:a', 'loud:a']) await ann.command('create_channel', { channel })
      for (const room of ['quiet', 'loud']) await ann.command('pause_room', { room, ...asAdmin })
      await ann.command('resume_room', { room: 'loud', ...asAdmin })
      await ann.command('delete_channel', { channel: 'quiet:b' })
      await ann.command('delete_channel', { channel: 'gone:a' })
      await ann.command('delete_room', { room: 'gone', ...asAdmin })
      const again = await killed(bus)

      const later = await as(again, 'ann')
      expect(await roomOf(later, 'gone')).toBeUndefined()
      expect(await roomOf(later, 'quiet')).toMatchObject({ state: 'paused', channels: ['a'] })
      expect(await roomOf(later, 'loud')).toMatchObject({ state: 'active', channels: ['a'] })
      expect(await refusal(later.publish({ room: 'quiet', channel: 'a' }))).toMatchObject({ code: 'room_paused' })
      await again.stop('SIGKILL')
    })

    test('that were made on demand are listed again with their history, and go as ever when it has expired', async () => {
      const settings = { channelIdleMs: 50, historyTtlMs: 100 }
      const bus = await start(settings)
      await (await bus.as('ann')).publish({ room: 'lab', channel: 'auto', payload: { n: 1 } })
      await bus.drain('the test')
      const again = await start({ ...settings, historyTtlMs: 600_000 })
      const ann = await again.as('ann')
      const { channels } = await ann.command('list_channels', { room: 'lab' })
      expect(channels).toMatchObject([{ name: 'auto', auto_created: true, created_by: 'ann' }])
      expect(await roomOf(ann, 'lab')).toMatchObject({ type: 'dynamic', created_by: 'ann' })
      expect(await ann.command('history', { channel: 'lab:auto' })).toMatchObject({ messages: [{ payload: { n: 1 } }] })
      await again.drain('the test')

      const last = await start(settings)
      const watcher = await last.as('watcher')
      await eventually(async () => expect(await roomOf(watcher, 'lab')).toBeUndefined())
      await last.drain('the test')
      const after = await start()
      expect(await roomOf(await after.as('watcher'), 'lab')).toBeUndefined()
      await after.drain('the test')
    })

    test('of the configuration are what it says, and what was kept under their names comes back without it', async () => {
      const bus = await start()
      const ann = await bus.as('ann')
      for (const channel of ['alpha:a', 'alpha:b']) await ann.command('create_channel', { channel })
      await bus.drain('the test')

      const configured = await start({ rooms: [{ name: 'alpha', channels: [{ name: 'a' }] }] })
      expect(await roomOf(await configured.as('ann'), 'alpha')).toMatchObject({ type: 'system', channels: ['a'] })
      await configured.drain('the test')

      const later = await start()
      const room = await roomOf(await later.as('ann'), 'alpha')
      expect(room).toMatchObject({ type: 'user', created_by: 'ann', channels: ['a', 'b'] })
      await later.drain('the test')
    })

    test('above a limit that has become lower are left out, and kept', async () => {
      const bus = await start()
      const ann = await bus.as('ann')
      for (const channel of ['many:a', 'many:b', 'many:c']) await ann.command('create_channel', { channel })
      await bus.drain('the test')
      const small = await start({ maxChannels: 6 })
      expect(await channelsOf(await small.as('ann'), 'many')).toEqual(['a', 'b'])
      await small.drain('the test')
      const large = await start()
      expect(await channelsOf(await large.as('ann'), 'many')).toEqual(['a', 'b', 'c'])
      await large.drain('the test')
    })
  })

  describe('sessions', () => {
    const profile = { client_type: 'ai-agent', screen_name: 'Ada', personality: 'curious' } as const

    test('survive a crash: who comes back is who it was, with the subscriptions that it had', async () => {
      const bus = await startProcess()
      const before = await connect(bus.busUrl, { query: { client_id: 'ada', ...profile, join: ['science:a'] } })
      await before.command('join_channel', { channel: 'science:*' })
      await before.command('join_channel', { channel: 'science:b' })
      await before.command('leave_channel', { channel: 'science:b' })
      await before.command('update_profile', { screen_name: 'Countess' })
      await eventually(async () =>
        expect(await recordOf('ada')).toMatchObject({
          subscriptions: ['science:*', 'science:a'],
          profile: { screenName: 'Countess' },
        }),
      )
      const again = await killed(bus)
      const { welcome } = await comeBack(before, again)
      expect(welcome).toMatchObject({
        resumed: true,
        session: before.welcome.session,
        client: { ...profile, screen_name: 'Countess' },
        subscriptions: [],
      })
      expect(welcome.kept_subscriptions.toSorted()).toEqual(['science:*', 'science:a'])

      // It has not joined them again yet: the next crash takes nothing from it.
      const third = await killed(again)
      const { welcome: last } = await comeBack(before, third, { resume: 'live' })
      expect(last.subscriptions.toSorted()).toEqual(['science:*', 'science:a'])
      await third.stop('SIGKILL')
    })

    test('survive a restart, with what they had when they left', async () => {
      const bus = await start()
      const [early, late] = [await bus.as('early', 'science:a'), await bus.as('late', 'science:b')]
      await early.close()
      await bus.drain('the test')
      const again = await start()
      for (const [client, channel] of [[early, 'science:a'] as const, [late, 'science:b'] as const]) {
        const { welcome } = await comeBack(client, again)
        expect(welcome).toMatchObject({ resumed: true, kept_subscriptions: [channel] })
      }
      await again.drain('the test')
    })

    test('are opened by their secret alone, which Redis does not have', async () => {
      const bus = await start()
      const before = await bus.as('ann', 'science:a')
      await bus.drain('the test')
      expect(JSON.stringify(await recordOf('ann'))).not.toContain(before.welcome.session)
      const again = await start()
      const thief = await again.connect({
        query: { client_id: 'ann' },
        headers: { 'arqonbus-session': before.welcome.session.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A')) },
      })
      expect(thief.welcome).toMatchObject({ resumed: false, kept_subscriptions: [] })
      const outcome = open(again.busUrl, {
        query: { client_id: 'ann' },
        headers: { 'arqonbus-session': before.welcome.session },
      })
      // A session reserves nothing: the id is taken now.
      expect((await outcome.answer(null)).error).toMatchObject({ code: 'client_id_in_use' })
      await again.drain('the test')
    })

    test('end in their time, whether the bus runs or not', async () => {
      const clock = testClock()
      const sessionTtlMs = 60_000
      const bus = await start({ sessionTtlMs }, { clock })
      const [one, two] = [await bus.as('one'), await bus.as('two')]
      await bus.drain('the test')
      clock.advance(sessionTtlMs - 1)
      const again = await start({ sessionTtlMs }, { clock })
      expect((await comeBack(one, again)).welcome.resumed).toBeTrue()
      clock.advance(1)
      expect((await comeBack(two, again)).welcome.resumed).toBeFalse()
      await again.drain('the test')
    })

    test('that an admin ended stay ended', async () => {
      const bus = await start()
      const [ann, bob] = [await bus.as('ann'), await bus.as('bob')]
      await eventually(() => recordOf('bob'))
      await ann.command('disconnect_client', { client_id: 'bob', ...asAdmin })
      expect((await comeBack(bob, bus)).welcome.resumed).toBeFalse()
      await bus.drain('the test')
    })

    test('of another node are found when their clients come', async () => {
      const [here, there] = [await start(), await start()]
      const before = await here.as('ann', 'science:a')
      await before.close()
      await eventually(async () => expect(await recordOf('ann')).toMatchObject({ subscriptions: ['science:a'] }))
      // Frames that come before Redis has answered wait, and are handled in order.
      redis.pause()
      const after = open(there.busUrl, {
        query: { client_id: 'ann' },
        headers: { 'arqonbus-session': before.welcome.session },
      })
      await new Promise((resolve) => after.socket.addEventListener('open', resolve))
      const ann = after.bind('ann')
      const answers = [1, 2, 3].map((n) => ann.publish({ room: 'science', channel: 'a', payload: { n } }))
      redis.resume()
      const welcome = await ann.next()
      expect(welcome.payload).toMatchObject({ event: 'welcome', resumed: true, kept_subscriptions: ['science:a'] })
      expect((await Promise.all(answers)).map(({ position }) => position?.split('-')[1])).toEqual(['1', '2', '3'])
      for (const bus of [here, there]) await bus.drain('the test')
    })

    test('keep their inbox, which a new session of the same id does not get', async () => {
      const bus = await startProcess()
      const [ann, bob, cid] = [await as(bus, 'ann'), await as(bus, 'bob'), await as(bus, 'cid')]
      const to = async (sender: TestClient, recipients: string[], n: number) =>
        sender.publish({ type: 'private', channel: 'pm', payload: { n }, metadata: { to: recipients } })
      await to(cid, ['ann', 'bob'], 1)
      await eventually(async () => {
        for (const id of ['ann', 'bob', 'cid']) expect(await recordOf(id)).toMatchObject({ inboxAfter: 0 })
      })
      const again = await killed(bus)

      // Who has not come back yet is known all the same.
      const sender = await comeBack(cid, again)
      await to(sender, ['ann', 'bob'], 2)
      expect(await refusal(to(sender, ['nobody'], 3))).toMatchObject({ code: 'client_not_found' })
      const inboxOf = async (client: TestClient) =>
        (await client.command('history', { channel: 'arqonbus:inbox' })).messages.map(({ payload }) => payload.n)
      const [resumed, stranger] = [await comeBack(ann, again), await as(again, 'bob')]
      expect(await inboxOf(resumed)).toEqual([1, 2])
      expect(await inboxOf(stranger)).toEqual([])
      await to(sender, ['bob'], 4)
      expect(await inboxOf(stranger)).toEqual([4])
      expect((await comeBack(bob, again).catch(() => undefined))?.welcome.resumed).toBeUndefined()
      await again.stop('SIGKILL')
    })
  })

  describe('the switches', () => {
    const kinds = ['messages', 'rooms', 'channels', 'sessions'] as const
    for (const persist of [
      ['messages'],
      ['rooms'],
      ['channels'],
      ['sessions'],
      [...kinds],
    ] as (typeof kinds)[number][][]) {
      test(`with ${persist.join(', ')} just that survives`, async () => {
        const bus = await start({ persist })
        const ann = await bus.as('ann')
        await ann.command('create_channel', { channel: 'science:lab' })
        await ann.publish({ room: 'science', channel: 'lab', payload: { n: 1 } })
        await bus.drain('the test')
        const again = await start({ persist })
        const later = await comeBack(ann, again)
        const room = await roomOf(later, 'science')
        expect({ room: room !== undefined, channels: room?.channels, resumed: later.welcome.resumed }).toEqual({
          room: persist.includes('rooms') || persist.includes('channels'),
          channels: persist.includes('channels') ? ['lab'] : persist.includes('rooms') ? [] : undefined,
          resumed: persist.includes('sessions'),
        })
        await later.command('join_channel', { channel: 'science:lab' })
        const { messages } = await later.command('history', { channel: 'science:lab' })
        expect(messages.length).toBe(persist.includes('messages') ? 1 : 0)
        await again.drain('the test')
      })
    }
  })

  describe('while Redis is away', () => {
    const isDegraded = (bus: TestBus) => eventually(async () => expect(await available(bus)).toBe(0))
    const isBack = (bus: TestBus) => eventually(async () => expect(await available(bus)).toBe(1))
    const available = (bus: TestBus) => bus.metric('arqonbus_storage_available')

    test('rooms and channels work, and are stored when it is back', async () => {
      const bus = await start()
      const ann = await bus.as('ann')
      await ann.command('create_channel', { channel: 'science:early' })
      await redis.kill()
      await isDegraded(bus)
      await ann.command('create_channel', { channel: 'science:late' })
      await ann.command('delete_channel', { channel: 'science:early' })
      await redis.restart()
      await isBack(bus)
      await bus.drain('the test')
      const again = await start()
      expect(await channelsOf(await again.as('ann'), 'science')).toEqual(['late'])
      await again.drain('the test')
    })

    test('they are refused where storage is strict', async () => {
      const bus = await start({ storageMode: 'strict' })
      const ann = await bus.as('ann')
      await redis.kill()
      await isDegraded(bus)
      const refused = await refusal(ann.command('create_channel', { channel: 'science:late' }))
      expect(refused).toMatchObject({ code: 'storage_unavailable', retry_after_ms: expect.any(Number) })
      await redis.restart()
      await isBack(bus)
      await ann.command('create_channel', { channel: 'science:late' })
      await bus.drain('the test')
    })

    test('a start does without it; what was kept comes with it, and is what its names were first', async () => {
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
      await redis.kill()

      const again = await start()
      // Who comes while it is away begins anew: nobody can say who it was.
      const later = await comeBack(ann, again)
      expect(later.welcome.resumed).toBeFalse()
      const [bob, eve] = [await again.as('bob', 'science:secret'), await again.as('eve', 'science:secret')]
      await later.command('create_channel', { channel: 'science:new' })
      await redis.restart()
      await isBack(again)

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

    test('a session that only Redis knows is a new one, after no more than its timeout', async () => {
      const [here, there] = [await start(), await start()]
      const before = await here.as('ann')
      await eventually(() => recordOf('ann'))
      redis.pause()
      const { welcome } = await comeBack(before, there)
      redis.resume()
      expect(welcome).toMatchObject({ resumed: false, client: { client_id: 'ann' } })
      for (const bus of [here, there]) await bus.drain('the test')
    })

    test('a Redis that comes back empty is told of everything again', async () => {
      const bus = await start()
      const ann = await bus.as('ann', 'science:a')
      await ann.command('create_channel', { channel: 'science:b' })
      await ann.command('pause_room', { room: 'science', ...asAdmin })
      await redis.command('FLUSHALL')
      await redis.restart()
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
