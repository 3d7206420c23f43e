/** Rooms and channels from the configuration (docs/protocol.md#rooms-and-channels). */
import { describe, expect, test } from 'bun:test'
import { refusal, startBus } from '@arqonbus/testing'
import { channelOf, roomOf } from './support/ask.ts'
import { startBusProcess } from './support/bus-process.ts'

const adminKey = 'correct-horse-battery-staple'
const asAdmin = { headers: { authorization: `Bearer ${adminKey}` } }

describe('configured rooms', async () => {
  const rooms = [
    {
      name: 'ops',
      config: { colour: 'red' },
      channels: [
        { name: 'alerts', type: 'system' as const },
        { name: 'talk', metadata: { topic: 'anything' }, options: { history_size: 2 } },
        { name: 'inner', type: 'private' as const, metadata: { members: ['insider'] } },
      ],
    },
    { name: 'lobby', channels: [] },
  ]
  const configured = await startBus({ rooms, adminKey, rateLimit: null })
  const [insider, outsider, boss] = await Promise.all([
    configured.as('insider'),
    configured.as('outsider'),
    configured.connect(asAdmin),
  ])

  test('configured rooms are system rooms whose channels are hardcoded and have the configured options', async () => {
    expect(await roomOf(insider, 'ops')).toMatchObject({
      type: 'system',
      config: { colour: 'red' },
      channels: ['alerts', 'talk', 'inner'],
    })
    expect(await roomOf(outsider, 'lobby')).toMatchObject({ type: 'system', channels: [] })
    expect(await channelOf(outsider, 'ops:talk')).toMatchObject({
      type: 'general',
      hardcoded: true,
      auto_created: false,
      metadata: { topic: 'anything' },
      options: { history_size: 2 },
    })
  })

  test('every client can read a system channel, and only admins can write to it', async () => {
    await outsider.command('join_channel', { channel: 'ops:alerts' })
    expect(await refusal(outsider.publish({ room: 'ops', channel: 'alerts' }))).toMatchObject({
      code: 'system_channel',
    })
    await boss.publish({ room: 'ops', channel: 'alerts', payload: { fire: true } })
    expect(await outsider.messages()).toMatchObject([{ payload: { fire: true } }])
  })

  test('a private channel of a configured room has the members that the configuration names', async () => {
    await insider.publish({ room: 'ops', channel: 'inner' })
    expect(await refusal(outsider.publish({ room: 'ops', channel: 'inner' }))).toMatchObject({ code: 'forbidden' })
  })

  test('only the configuration can change a configured room', async () => {
    for (const client of [outsider, boss]) {
      expect(await refusal(client.command('create_channel', { channel: 'ops:new' }))).toMatchObject({
        code: 'system_room',
      })
      expect(await refusal(client.command('join_channel', { channel: 'ops:new' }))).toMatchObject({
        code: 'channel_not_found',
      })
      expect(await refusal(client.publish({ room: 'ops', channel: 'new' }))).toMatchObject({
        code: 'channel_not_found',
      })
      expect(await refusal(client.command('delete_channel', { channel: 'ops:talk' }))).toMatchObject({
        code: 'channel_hardcoded',
      })
    }
    expect(await refusal(boss.command('pause_room', { room: 'ops' }))).toMatchObject({ code: 'room_hardcoded' })
    expect(await refusal(boss.command('delete_room', { room: 'lobby' }))).toMatchObject({ code: 'room_hardcoded' })
  })

  test('a bus that could create all its configured rooms reports the status ok', async () => {
    expect(await (await fetch(`${configured.httpUrl}/health`)).json()).toMatchObject({ status: 'ok' })
  })
})

describe('invalid configurations', async () => {
  const good = { name: 'good', channels: [{ name: 'a' }] }
  const cases: [string, { name: string; channels: { name: string }[] }[], RegExp][] = [
    ['a room with an invalid name', [good, { name: 'bad name', channels: [] }], /room bad name/],
    ['a channel with an invalid name', [{ name: 'good', channels: [{ name: 'bad name' }] }], /channel good:bad name/],
    ['the channel pm', [{ name: 'good', channels: [{ name: 'pm' }] }], /channel good:pm/],
    ['a room reserved for the bus', [good, { name: 'arqonbus', channels: [] }], /room arqonbus/],
    ['a repeated room', [good, good], /room good/],
    ['a repeated channel', [{ name: 'good', channels: [{ name: 'a' }, { name: 'a' }] }], /channel good:a/],
  ]
  const lenient = await startBus({ rooms: [good, { name: 'bad name', channels: [] }], bootstrap: 'lenient' })

  test.each(cases)('%s in the configuration stops the start with a message that names it', async (_, rooms, named) => {
    const failure = await startBus({ rooms }).catch((error: unknown) => error)
    expect(failure).toMatchObject({ name: 'StartError', exitCode: 78, message: expect.stringMatching(named) })
  })

  test('more configured rooms than the limit allows stop the start', async () => {
    const failure = await startBus({ rooms: [good, { name: 'more', channels: [] }], maxRooms: 3 }).catch(
      (error: unknown) => error,
    )
    expect(failure).toMatchObject({ exitCode: 78, message: expect.stringContaining('room more') })
  })

  test('in lenient mode the bus starts without a room that it cannot create and reports itself degraded', async () => {
    const client = await lenient.connect()
    expect(await roomOf(client, 'good')).toMatchObject({ channels: ['a'] })
    expect((await client.command('status')).server.status).toBe('degraded')
    expect(await (await fetch(`${lenient.httpUrl}/health`)).json()).toMatchObject({ status: 'degraded' })
  })

  test('in lenient mode the start still fails if no configured room could be created', async () => {
    const failure = await startBus({ rooms: [{ name: 'bad name', channels: [] }], bootstrap: 'lenient' }).catch(
      (error: unknown) => error,
    )
    expect(failure).toMatchObject({ exitCode: 78 })
  })

  test('the process names a bad room and exits with 78, or starts without it in lenient mode', async () => {
    const ARQONBUS_ROOMS = 'good:a,bad name:b'
    const [strict, nothing, started] = await Promise.all([
      startBusProcess({ settings: { ARQONBUS_ROOMS } }).catch(String),
      startBusProcess({ settings: { ARQONBUS_ROOMS: 'arqonbus:mine', ARQONBUS_BOOTSTRAP: 'lenient' } }).catch(String),
      startBusProcess({ settings: { ARQONBUS_ROOMS, ARQONBUS_BOOTSTRAP: 'lenient' } }),
    ])
    expect(strict).toMatch(/exit code 78 [\s\S]*bad name/)
    expect(nothing).toMatch(/exit code 78 [\s\S]*arqonbus/)
    expect(started.output()).toContain('bad name')
    expect(await started.stop()).toBe(0)
  })
})
