/** Persistence of rooms and channels, by setting (docs/protocol.md#restarts). */
import { describe, expect, setDefaultTimeout, test } from 'bun:test'
import { eventually, refusal, textOf, withProgram } from '@arqonbus/testing'
import { as, asAdmin, channelsOf, comeBack, createFixture, roomOf } from './fixture.ts'

// Each test starts several processes.
setDefaultTimeout(120_000)

withProgram('redis-server', 'with Redis', () => {
  const { killed, start, startProcess } = createFixture()

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
      expect(await roomOf(await configured.as('ann'), 'alpha')).toMatchObject({ type: 'system', channels: ['a'] })
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

  describe('settings of persistence', () => {
    const findsChannels = (persist: readonly string[]) => persist.includes('channels') || persist.includes('messages')
    const kinds = ['messages', 'rooms', 'channels', 'sessions'] as const
    for (const persist of [
      ['messages'],
      ['rooms'],
      ['channels'],
      ['sessions'],
      [...kinds],
    ] as (typeof kinds)[number][][]) {
      test(`with persistence of ${persist.join(', ')} exactly that survives a restart`, async () => {
        const bus = await start({ persist })
        const ann = await bus.as('ann')
        await ann.command('create_channel', { channel: 'science:lab' })
        await ann.publish({ room: 'science', channel: 'lab', payload: { n: 1 } })
        await bus.drain('the test')
        const again = await start({ persist })
        const later = await comeBack(ann, again)
        const room = await roomOf(later, 'science')
        expect({ room: room !== undefined, channels: room?.channels, resumed: later.welcome.resumed }).toEqual({
          room: !persist.includes('sessions') || persist.length > 1,
          // If messages are kept, so is what is needed to find them.
          channels: findsChannels(persist) ? ['lab'] : persist.includes('rooms') ? [] : undefined,
          resumed: persist.includes('sessions'),
        })
        await later.command('join_channel', { channel: 'science:lab' })
        const { messages } = await later.command('history', { channel: 'science:lab' })
        expect(messages.length).toBe(persist.includes('messages') ? 1 : 0)
        await again.drain('the test')
      })
    }
  })
})
