/** Rooms and channels that the configuration wants (protocol §4). */
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

  test('are system rooms with hardcoded channels, as configured', async () => {
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

  test('everybody reads a system channel, and only admins write to it', async () => {
    await outsider.command('join_channel', { channel: 'ops:alerts' })
    expect(await refusal(outsider.publish({ room: 'ops', channel: 'alerts' }))).toMatchObject({
      code: 'system_channel',
    })
    await boss.publish({ room: 'ops', channel: 'alerts', payload: { fire: true } })
    expect(await outsider.messages()).toMatchObject([{ payload: { fire: true } }])
  })

  test('their private channels have the members of the configuration', async () => {
    await insider.publish({ room: 'ops', channel: 'inner' })
    expect(await refusal(outsider.publish({ room: 'ops', channel: 'inner' }))).toMatchObject({ code: 'forbidden' })
  })

  test('only the configuration changes them', async () => {
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

  test('a bus on which all could be made is well', async () => {
    expect(await (await fetch(`${configured.httpUrl}/health`)).json()).toMatchObject({ status: 'ok' })
  })
})

describe('a configuration that cannot be carried out', async () => {
  const good = { name: 'good', channels: [{ name: 'a' }] }
  const cases: [string, { name: string; channels: { name: string }[] }[], RegExp][] = [
    ['a room whose name is none', [good, { name: 'bad name', channels: [] }], /room bad name/],
    ['a channel whose name is none', [{ name: 'good', channels: [{ name: 'bad name' }] }], /channel good:bad name/],
    ['the channel pm', [{ name: 'good', channels: [{ name: 'pm' }] }], /channel good:pm/],
    ['a room of the bus', [good, { name: 'arqonbus', channels: [] }], /room arqonbus/],
    ['a room twice', [good, good], /room good/],
    ['a channel twice', [{ name: 'good', channels: [{ name: 'a' }, { name: 'a' }] }], /channel good:a/],
  ]
  const lenient = await startBus({ rooms: [good, { name: 'bad name', channels: [] }], bootstrap: 'lenient' })

  test.each(cases)('%s stops the start with a message that names it', async (_, rooms, named) => {
    const failure = await startBus({ rooms }).catch((error: unknown) => error)
    expect(failure).toMatchObject({ name: 'StartError', exitCode: 78, message: expect.stringMatching(named) })
  })

  test('more rooms than there may be stop it, too', async () => {
    const failure = await startBus({ rooms: [good, { name: 'more', channels: [] }], maxRooms: 3 }).catch(
      (error: unknown) => error,
    )
    expect(failure).toMatchObject({ exitCode: 78, message: expect.stringContaining('room more') })
  })

  test('lenient, the bus starts without it and reports that it is degraded', async () => {
    const client = await lenient.connect()
    expect(await roomOf(client, 'good')).toMatchObject({ channels: ['a'] })
    expect((await client.command('status')).server.status).toBe('degraded')
    expect(await (await fetch(`${lenient.httpUrl}/health`)).json()).toMatchObject({ status: 'degraded' })
  })

  test('with none created the start stops in any case', async () => {
    const failure = await startBus({ rooms: [{ name: 'bad name', channels: [] }], bootstrap: 'lenient' }).catch(
      (error: unknown) => error,
    )
    expect(failure).toMatchObject({ exitCode: 78 })
  })

  test('the process says so and ends with exit code 78, or starts where it may', async () => {
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
