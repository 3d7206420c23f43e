/** Rooms and channels from the configuration (docs/protocol.md#rooms-and-channels). */
import { describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, eventually, refusal, startBus, testClock, textOf } from '@arqonbus/testing'
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

  test('clients create channels in a configured room as in any other, and delete those that are theirs', async () => {
    await outsider.command('join_channel', { channel: 'ops:joined' })
    await outsider.publish({ room: 'ops', channel: 'published' })
    await outsider.command('create_channel', { channel: 'ops:made', type: 'private' })
    expect(await channelOf(outsider, 'ops:joined')).toMatchObject({ hardcoded: false, auto_created: true })
    expect(await channelOf(outsider, 'ops:made')).toMatchObject({ hardcoded: false, created_by: 'outsider' })
    await outsider.command('leave_channel', { channel: 'ops:joined' })
    for (const channel of ['ops:joined', 'ops:published', 'ops:made']) {
      expect(await refusal(insider.command('delete_channel', { channel }))).toMatchObject({ code: 'forbidden' })
      await outsider.command('delete_channel', { channel })
    }
    expect((await roomOf(outsider, 'ops'))!.channels).toEqual(['alerts', 'talk'])
  })

  test('no client, not even an admin, can delete or pause a configured room, or delete its configured channels', async () => {
    for (const client of [outsider, boss]) {
      for (const channel of ['ops:alerts', 'ops:talk']) {
        expect(await refusal(client.command('delete_channel', { channel }))).toMatchObject({
          code: 'channel_hardcoded',
        })
        expect(await refusal(client.command('create_channel', { channel }))).toMatchObject({ code: 'channel_exists' })
      }
      expect(await refusal(client.command('delete_room', { room: 'lobby' }))).toMatchObject({ code: 'room_hardcoded' })
    }
    for (const name of ['pause_room', 'resume_room'] as const)
      expect(await refusal(boss.command(name, { room: 'ops' }))).toMatchObject({ code: 'room_hardcoded' })
  })

  test('a configured room remains without channels, and its configured channels remain without participants', async () => {
    const clock = testClock()
    const tidy = await startBus({ rooms, channelIdleMs: 50, historyTtlMs: 1000 }, { clock })
    const client = await tidy.as('client')
    for (const channel of ['ops:talk', 'ops:extra', 'lobby:extra']) {
      await client.command('join_channel', { channel })
      await client.command('leave_channel', { channel })
    }
    clock.advance(60_000)
    await eventually(async () => expect(await roomOf(client, 'ops')).toMatchObject({ channels: ['alerts', 'talk'] }))
    expect(await roomOf(client, 'lobby')).toMatchObject({ type: 'system', channels: [] })
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
    expect(await (await fetch(`${lenient.httpUrl}/health`)).json()).toMatchObject({
      status: 'degraded',
      reasons: [{ code: 'bootstrap_incomplete' }],
    })
  })

  test('in lenient mode the start still fails if no configured room could be created', async () => {
    const failure = await startBus({ rooms: [{ name: 'bad name', channels: [] }], bootstrap: 'lenient' }).catch(
      (error: unknown) => error,
    )
    expect(failure).toMatchObject({ exitCode: 78 })
  })

  test('metadata of a configuration file in JSON reaches clients byte for byte', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'arqonbus-config-'))
    const config = '{"limit":9007199254740993}'
    const metadata = '{ "price" : 1.0,\n "far":1e400, "b":"\\u0061", "a":[] }'
    const path = join(folder, 'bus.json')
    writeFileSync(
      path,
      `{"rooms": [{"name": "ops", "config": ${config}, "channels": [{"name": "talk", "metadata": ${metadata}}]}]}`,
    )
    const bus = await startBusProcess({ settings: { ARQONBUS_CONFIG: path } })
    const client = await connect(bus.busUrl)
    for (const [name, written] of [
      ['list_rooms', config],
      ['list_channels', metadata],
    ]) {
      client.send({ type: 'command', room: 'ops', payload: { name } })
      expect(textOf(await client.next(({ type }) => type === 'command_response'))).toContain(written!)
    }
    await client.close()
    await bus.stop()
    rmSync(folder, { recursive: true })
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
