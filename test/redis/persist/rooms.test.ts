/** Persistence of rooms and channels, by setting (docs/protocol.md#restarts). */
import { describe, expect, setDefaultTimeout, test } from 'bun:test'
import { eventually, refusal, type TestClient, textOf, withProgram } from '@arqonbus/testing'
import { as, asAdmin, channelsOf, comeBack, createFixture, roomOf } from './fixture.ts'

// Each test starts several processes.
setDefaultTimeout(120_000)

withProgram('redis-server', 'with Redis', () => {
  const fixture = createFixture()
  const { killed, start, startProcess } = fixture
  const say = (client: TestClient, address: string) => {
    const [room = '', channel = ''] = address.split(':')
    return client.publish({ room, channel })
  }

  describe('persistence of rooms and channels', () => {
    test('rooms and channels survive a crash unchanged, including a channel created right before it', async () => {
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

    test('metadata and room config come back byte for byte after a crash', async () => {
      const bus = await startProcess()
      const ann = await as(bus, 'ann')
      const metadata = '{"members":["bob"], "big":9007199254740993,"one":1.0,"b":1e3,"a":"\\u0041"}'
      const config = '{ "n":1.50,"2":0,"1":0 }'
      const send = (name: string, parameters: string, client = ann) => {
        const id = `arq_${name}`
        client.raw(
          `{"version":"1.0","id":"${id}","type":"command","room":"a","channel":"b","from":"ann","timestamp":"2026-01-01T00:00:00Z","payload":{"name":"${name}","parameters":${parameters}}}`,
        )
        return client.next(({ payload }) => payload.request_id === id)
      }
      await send(
        'create_channel',
        `{"channel":"exact:a","type":"private","metadata":${metadata},"room_config":${config}}`,
      )
      const again = await killed(bus)
      const later = await as(again, 'ann')
      expect(textOf(await send('channel_info', '{"channel":"exact:a"}', later))).toContain(`"metadata":${metadata},`)
      expect(textOf(await send('list_rooms', '{"room":"exact"}', later))).toContain(`"config":${config},`)
      await (await as(again, 'bob')).command('join_channel', { channel: 'exact:a' })
      await again.stop('SIGKILL')
    })

    test('rooms and channels that were deleted, paused or resumed are so after a crash', async () => {
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

    test('channels made on demand are listed again with their history, and removed when it has expired', async () => {
      const settings = { channelIdleMs: 50, historyTtlMs: 100 }
      const bus = await start()
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

    test('configured rooms follow the configuration, and stored rooms of their names return without it', async () => {
      const bus = await start()
      const ann = await bus.as('ann')
      for (const channel of ['alpha:a', 'alpha:b']) await ann.command('create_channel', { channel })
      await bus.drain('the test')

      const configured = await start({ rooms: [{ name: 'alpha', channels: [{ name: 'a' }] }] })
      expect(await roomOf(await configured.as('ann'), 'alpha')).toMatchObject({
        type: 'system',
        channels: ['a', 'b'],
      })
      const { channels } = await (await configured.as('bob')).command('list_channels', { room: 'alpha' })
      expect(channels.map(({ name, hardcoded }) => [name, hardcoded])).toEqual([
        ['a', true],
        ['b', false],
      ])
      await configured.drain('the test')

      const later = await start()
      const room = await roomOf(await later.as('ann'), 'alpha')
      expect(room).toMatchObject({ type: 'user', created_by: 'ann', channels: ['a', 'b'] })
      await later.drain('the test')
    })

    test('channels above a lowered limit are not restored but stay stored', async () => {
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

  describe('configured rooms', () => {
    const rooms = [{ name: 'science', channels: [{ name: 'general' }] }]

    for (const persist of [undefined, ['messages' as const]]) {
      const kept = persist?.join(', ') ?? 'everything'
      test(`with ${kept} kept, channels that clients created in a configured room are found after a restart`, async () => {
        const config = { rooms, ...(persist && { persist }) }
        const [first, second] = [await start(config), await start(config)]
        const [ann, bob] = [await first.as('ann'), await second.as('bob')]
        await ann.command('create_channel', {
          channel: 'science:made',
          type: 'private',
          metadata: { members: ['bob'] },
        })
        for (const channel of ['general', 'made', 'explore']) await say(ann, `science:${channel}`)
        for (const channel of ['general', 'made', 'explore'])
          expect((await bob.command('history', { channel: `science:${channel}` })).messages).toHaveLength(1)
        for (const bus of [first, second]) await bus.drain('the test')

        const again = await start(config)
        const [later, eve] = [await again.as('bob'), await again.as('eve')]
        expect(await roomOf(later, 'science')).toMatchObject({
          type: 'system',
          channels: ['general', 'made', 'explore'],
        })
        for (const channel of ['general', 'made', 'explore'])
          expect((await later.command('history', { channel: `science:${channel}` })).messages).toHaveLength(1)
        expect(await refusal(eve.command('join_channel', { channel: 'science:made' }))).toMatchObject({
          code: 'forbidden',
        })
        await again.drain('the test')

        // The configuration does not list the room any more: what clients created there remains.
        const without = await start(persist && { persist })
        const last = await without.as('bob')
        expect(await roomOf(last, 'science')).toMatchObject({ type: 'dynamic', channels: ['made', 'explore'] })
        await without.drain('the test')
      })
    }
  })

  describe('removal', () => {
    /** The fields of the hashes in which rooms and channels are stored. */
    const records = async () => {
      const keys = (await fixture.redis.command('KEYS', '*@rooms')) as string[]
      const ofChannels = (await fixture.redis.command('KEYS', '*@channels:*')) as string[]
      return (await Promise.all([...keys, ...ofChannels].map((key) => fixture.redis.command('HKEYS', key)))).flat()
    }

    test('rooms and channels that were deleted or removed because they were unused leave no record behind', async () => {
      const bus = await start({ channelIdleMs: 50, historyTtlMs: 100, rateLimit: null })
      const ann = await bus.as('ann')
      for (let i = 0; i < 50; i++) {
        const channel = `flood-${i}:x`
        ann.send({ type: 'command', payload: { name: 'create_channel', parameters: { channel } } })
        ann.send({ type: 'command', payload: { name: 'delete_channel', parameters: { channel } } })
      }
      await ann.command('create_channel', { channel: 'kept:a' })
      await ann.command('create_channel', { channel: 'owned:a' })
      await ann.command('delete_channel', { channel: 'owned:a' })
      await ann.command('delete_room', { room: 'owned' })
      await ann.publish({ room: 'dynamic', channel: 'a' })
      await eventually(async () => expect(await records()).toEqual(['kept', 'a']))
      await bus.drain('the test')
    })

    test('a room that was stored without channels is removed after a restart, unless it is paused', async () => {
      const bus = await start()
      const ann = await bus.as('ann')
      for (const room of ['empty', 'halted']) await ann.command('create_channel', { channel: `${room}:a` })
      await ann.command('pause_room', { room: 'halted', ...asAdmin })
      for (const room of ['empty', 'halted']) await ann.command('delete_channel', { channel: `${room}:a` })
      await bus.drain('the test')
      expect((await records()).toSorted()).toEqual(['empty', 'halted'])
      const again = await start({ channelIdleMs: 50 })
      const later = await again.as('ann')
      await eventually(async () => expect(await records()).toEqual(['halted']))
      expect(await roomOf(later, 'halted')).toMatchObject({ state: 'paused', created_by: 'ann' })
      await again.drain('the test')
    })
  })

  test('a private message by a room that only another server has in memory is delivered', async () => {
    const [first, second] = [await start(), await start()]
    const [ann, bob] = [await first.as('ann'), await second.as('bob')]
    await ann.command('create_channel', { channel: 'lab:a' })
    await bob.publish({ type: 'private', room: 'lab', channel: 'pm', metadata: { to: 'bob' } })
    expect(await bob.messages()).toMatchObject([{ type: 'private', room: 'lab' }])
    expect(
      await refusal(bob.publish({ type: 'private', room: 'nowhere', channel: 'pm', metadata: { to: 'bob' } })),
    ).toMatchObject({ code: 'room_not_found' })
    for (const bus of [first, second]) await bus.drain('the test')
  })

  describe('settings of persistence', () => {
    const kinds = ['messages', 'rooms', 'channels', 'sessions'] as const
    type Kept = readonly (typeof kinds)[number][]
    const all = Array.from({ length: 2 ** kinds.length }, (_, bits): Kept => kinds.filter((_, i) => bits & (1 << i)))
    /** Every combination that the server starts with. */
    const combinations = all.filter(
      (persist) => persist.length > 0 && (!persist.includes('rooms') || /messages|channels/.test(persist.join())),
    )

    test('every combination with messages, channels or sessions is tried', () => expect(combinations).toHaveLength(13))

    for (const persist of combinations) {
      const keeps = (...some: Kept) => some.some((kind) => persist.includes(kind))
      test(`with persistence of ${persist.join(', ')} exactly that survives a restart`, async () => {
        const bus = await start({ persist })
        const [ann, bob] = [await bus.as('ann'), await bus.as('bob')]
        await ann.command('create_channel', {
          channel: 'science:lab',
          metadata: { topic: 'all' },
          room_config: { colour: 'red' },
        })
        await ann.command('join_channel', { channel: 'science:lab' })
        await say(ann, 'science:lab')
        await say(ann, 'demand:made')
        await ann.publish({ type: 'private', room: 'science', channel: 'pm', metadata: { to: 'bob' } })
        await ann.command('pause_room', { room: 'science', ...asAdmin })
        await bus.drain('the test')

        const again = await start({ persist })
        const reader = await again.as('reader')
        const historyOf = async (channel: string) => {
          const history = reader.command('history', { channel })
          return keeps('messages', 'channels') ? (await history).messages.length : (await refusal(history)).code
        }
        // Nobody has joined.
        const count = keeps('messages') ? 1 : 0
        for (const channel of ['science:lab', 'demand:made'])
          expect(await historyOf(channel)).toBe(keeps('messages', 'channels') ? count : 'room_not_found')
        const room = await roomOf(reader, 'science')
        expect(room && [room.type, room.state, room.config, room.created_by]).toEqual(
          keeps('rooms', 'channels')
            ? ['user', 'paused', { colour: 'red' }, 'ann']
            : keeps('messages')
              ? ['dynamic', 'active', undefined, undefined]
              : undefined,
        )
        if (keeps('messages', 'channels')) {
          const { channel } = await reader.command('channel_info', { channel: 'science:lab' })
          expect([channel.metadata, channel.created_by]).toEqual(
            keeps('channels') ? [{ topic: 'all' }, 'ann'] : [undefined, undefined],
          )
        }
        const [annBack, bobBack] = [await comeBack(ann, again), await comeBack(bob, again)]
        // With messages alone a session is found because it has an inbox, without its subscriptions.
        expect([annBack.welcome.resumed, annBack.welcome.kept_subscriptions]).toEqual(
          keeps('sessions') ? [true, ['science:lab']] : [keeps('messages'), []],
        )
        const { messages } = await bobBack.command('history', { channel: 'arqonbus:inbox' })
        expect(messages).toHaveLength(count)
        await again.drain('the test')
      })
    }
  })
})
