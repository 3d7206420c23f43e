/** Stored messages are found: after a restart that keeps only messages, and at another server on the same Redis. */
import { describe, expect, setDefaultTimeout, test } from 'bun:test'
import { eventually, refusal, type TestBus, type TestClient, withProgram } from '@arqonbus/testing'
import { caller, messagesOf, openStream } from '../../api/call.ts'
import { asAdmin, channelsOf, comeBack, createFixture, roomOf } from './fixture.ts'

setDefaultTimeout(120_000)

withProgram('redis-server', 'with Redis', () => {
  const fixture = createFixture({ appendfsync: 'always' })
  const { start } = fixture
  const publish = (client: TestClient, channel: string, n: number) => {
    const [room, name] = channel.split(':') as [string, string]
    return client.publish({ room, channel: name, payload: { n }, metadata: { ack: 'disk' } })
  }
  const payloadsOf = async (client: TestClient, channel: string) =>
    (await client.command('history', { channel })).messages.map(({ payload }) => payload.n)

  /** The ways to request a stored message, each by a new client. */
  const ways: Record<string, (bus: TestBus, position: string, channel: string) => Promise<unknown[]>> = {
    history: async (bus, _position, channel) => payloadsOf(await bus.as('reader'), channel),
    'channel_info, then history': async (bus, _position, channel) => {
      const reader = await bus.as('reader')
      expect(await reader.command('channel_info', { channel })).toMatchObject({ position: expect.any(String) })
      return payloadsOf(reader, channel)
    },
    'a join with since': async (bus, position, channel) => {
      const reader = await bus.as('reader')
      const joined = await reader.command('join_channel', { channel, since: position })
      expect(joined).toMatchObject({ recovered: true, missed: 1 })
      return [1, (await reader.next(({ type }) => type === 'event')).payload.n]
    },
    'a join of the room with since': async (bus, position, channel) => {
      const reader = await bus.as('reader')
      const [room, name] = channel.split(':') as [string, string]
      const joined = await reader.command('join_channel', { channel: `${room}:*`, since: { [name]: position } })
      expect(joined).toMatchObject({ recoverable: true, channels: [{ channel, recovered: true, missed: 1 }] })
      return [1, (await reader.next(({ type }) => type === 'event')).payload.n]
    },
    'a history by HTTP': async (bus, _position, channel) => {
      const [room, name] = channel.split(':') as [string, string]
      const { body } = await caller(bus.httpUrl)(messagesOf(room, name))
      return body.messages.map(({ payload }: { payload: { n: number } }) => payload.n)
    },
    'a stream of server-sent events': async (bus, position, channel) => {
      const stream = await openStream(bus.httpUrl, channel, { 'last-event-id': position })
      const { data } = await stream.nextOf('message')
      stream.close()
      return [1, JSON.parse(data).payload.n]
    },
  }

  for (const [way, ask] of Object.entries(ways)) {
    test(`a message is found by ${way} at a second server and after a restart that keeps only messages`, async () => {
      for (const persist of [['messages' as const], undefined]) {
        const config = persist && { persist }
        const [first, second] = [await start(config), await start(config)]
        const ann = await first.as('ann')
        const [room] = persist ?? ['all']
        const { position } = await publish(ann, `${room}:a`, 1)
        await publish(ann, `${room}:a`, 2)
        expect(await ask(second, position!, `${room}:a`)).toEqual([1, 2])
        for (const bus of [first, second]) await bus.drain('the test')
        const again = await start(config)
        expect(await ask(again, position!, `${room}:a`)).toEqual([1, 2])
        await again.drain('the test')
      }
    })
  }

  describe('a second server', () => {
    test('a room-wide join includes the channels that another node has just created', async () => {
      const [here, there] = [await start(), await start()]
      const [ann, bob] = [await here.as('ann'), await there.as('bob')]
      const names: string[] = []
      for (const name of ['a', 'b', 'c']) {
        await publish(ann, `lab:${name}`, 1)
        names.push(`lab:${name}`)
        const joined = await bob.command('join_channel', { channel: 'lab:*', since: {} })
        if (!('channels' in joined)) throw new Error('a join of a room lists its channels')
        expect(joined.channels!.map(({ channel }) => channel).toSorted()).toEqual(names)
        await bob.command('leave_channel', { channel: 'lab:*' })
        expect((await channelsOf(bob, 'lab')).toSorted()).toEqual(names.map((one) => one.slice(4)))
      }
      for (const bus of [here, there]) await bus.drain('the test')
    })

    test('a private channel of another node is private, whichever request comes first', async () => {
      const [here, there] = [await start(), await start()]
      const [ann, bob, eve] = [await here.as('ann'), await there.as('bob'), await there.as('eve')]
      for (const name of ['published', 'joined', 'read', 'made']) {
        await ann.command('create_channel', {
          channel: `lab:${name}`,
          type: 'private',
          metadata: { members: ['bob'] },
        })
        await publish(ann, `lab:${name}`, 1)
      }
      const forbidden = async (attempt: Promise<unknown>) =>
        expect(await refusal(attempt)).toMatchObject({ code: 'forbidden' })
      await forbidden(publish(eve, 'lab:published', 2))
      await forbidden(eve.command('join_channel', { channel: 'lab:joined' }))
      await forbidden(eve.command('history', { channel: 'lab:read' }))
      expect(await refusal(eve.command('create_channel', { channel: 'lab:made' }))).toMatchObject({
        code: 'channel_exists',
      })
      expect(await channelsOf(eve, 'lab')).toEqual([])
      expect(await payloadsOf(bob, 'lab:published')).toEqual([1])
      await publish(bob, 'lab:joined', 2)
      expect(await payloadsOf(ann, 'lab:joined')).toEqual([1, 2])
      for (const bus of [here, there]) await bus.drain('the test')
    })

    test('a channel that an idle node has evicted is found later with the messages from another node', async () => {
      const first = await start()
      const ann = await first.as('ann', 'lab:a')
      const idle = await start({ channelIdleMs: 20 })
      const watcher = await idle.as('watcher')
      await eventually(async () => expect(await roomOf(watcher, 'lab')).toBeUndefined())
      await idle.drain('the test')
      await publish(ann, 'lab:a', 1)
      await ann.publish({ room: 'lab', channel: '*', payload: { n: 2 }, metadata: { ack: 'disk' } })
      const later = await start()
      const reader = await later.as('reader')
      expect(await channelsOf(reader, 'lab')).toEqual(['a'])
      expect([await payloadsOf(reader, 'lab:a'), await payloadsOf(reader, 'lab:*')]).toEqual([[1], [2]])
      for (const bus of [first, later]) await bus.drain('the test')
    })

    test('messages to a channel that another node created keep the order in which they were sent', async () => {
      const [here, there] = [await start(), await start()]
      const [ann, bob] = [await here.as('ann'), await there.as('bob')]
      await publish(ann, 'lab:a', 0)
      const sent = Array.from({ length: 40 }, (_, n) => publish(bob, 'lab:a', n + 1))
      await Promise.all(sent)
      expect(await payloadsOf(bob, 'lab:a')).toEqual(Array.from({ length: 41 }, (_, n) => n))
      for (const bus of [here, there]) await bus.drain('the test')
    })
  })

  describe('persistence of messages only', () => {
    test('with only messages kept, a private channel stays private with its members, and nothing else of it is kept', async () => {
      const config = { persist: ['messages' as const] }
      const bus = await start(config)
      const ann = await bus.as('ann')
      const metadata = { members: ['bob'], purpose: 'x' }
      await ann.command('create_channel', { channel: 'lab:secret', type: 'private', metadata, room_config: { a: 1 } })
      await ann.command('pause_room', { room: 'lab', ...asAdmin })
      await ann.command('resume_room', { room: 'lab', ...asAdmin })
      await publish(ann, 'lab:secret', 1)
      await ann.command('pause_room', { room: 'lab', ...asAdmin })
      await bus.drain('the test')

      const again = await start(config)
      const [bob, eve] = [await again.as('bob'), await again.as('eve')]
      for (const attempt of [
        eve.command('history', { channel: 'lab:secret' }),
        eve.command('join_channel', { channel: 'lab:secret' }),
      ])
        expect(await refusal(attempt)).toMatchObject({ code: 'forbidden' })
      expect(await payloadsOf(bob, 'lab:secret')).toEqual([1])
      const { channel } = await bob.command('channel_info', { channel: 'lab:secret' })
      expect(channel).toMatchObject({ type: 'private', created_by: 'ann', metadata: { members: ['bob'] } })
      expect(channel.metadata).not.toHaveProperty('purpose')
      const room = await roomOf(bob, 'lab')
      expect(room).toMatchObject({ type: 'dynamic', state: 'active' })
      expect(room).not.toHaveProperty('config')
      await again.drain('the test')
    })

    test('with only messages kept, an inbox is open to its own session, and no other session is kept', async () => {
      const config = { persist: ['messages' as const] }
      const bus = await start(config)
      const [ann, bob, cid] = [await bus.as('ann'), await bus.as('bob', 'lab:a'), await bus.as('cid')]
      await ann.publish({ type: 'private', channel: 'pm', payload: { n: 1 }, metadata: { to: 'bob', ack: 'disk' } })
      await bus.drain('the test')
      for (let restarts = 0; restarts < 2; restarts++) {
        const again = await start(config)
        const back = await comeBack(bob, again)
        expect(back.welcome).toMatchObject({ resumed: true, kept_subscriptions: [] })
        expect(await payloadsOf(back, 'arqonbus:inbox')).toEqual([1])
        expect((await comeBack(cid, again)).welcome.resumed).toBeFalse()
        await again.drain('the test')
      }
    })

    test('with only messages kept, a channel is removed with its history', async () => {
      const config = { persist: ['messages' as const], channelIdleMs: 50, historyTtlMs: 100 }
      const bus = await start({ ...config, historyTtlMs: 600_000 })
      await publish(await bus.as('ann'), 'lab:a', 1)
      await bus.drain('the test')
      const again = await start(config)
      const watcher = await again.as('watcher')
      await eventually(async () => expect(await roomOf(watcher, 'lab')).toBeUndefined())
      await again.drain('the test')
      const last = await start()
      expect(await roomOf(await last.as('watcher'), 'lab')).toBeUndefined()
      await last.drain('the test')
    })
  })
})
