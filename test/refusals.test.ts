/** The refusals of commands: their codes, and the order of checks (docs/protocol.md#replies-and-errors). */
import { describe, expect, test } from 'bun:test'
import { type CommandName, commands, type ErrorCode } from '@arqonbus/protocol'
import { startBus, type TestClient } from '@arqonbus/testing'
import { commandNames, refused, run } from './support/ask.ts'

const adminKey = 'correct-horse-battery-staple'
/** A file with settings that was spoilt after the start. */
const readSettings = () => ({ mistakes: [{ option: 'port', source: 'file' as const, message: 'must be a port' }] })
const bus = await startBus({ adminKey, rateLimit: null }, { readSettings })
const [user, owner, admin] = await Promise.all([
  bus.as('user'),
  bus.as('owner'),
  bus.connect({ query: { client_id: 'admin' }, headers: { authorization: `Bearer ${adminKey}` } }),
])

describe('refusals', async () => {
  const noAutoCreate = await startBus({ autoCreate: false })
  const adminsCreate = await startBus({ create: 'admin' })
  // Besides the built-in rooms (2) and channels (4) there is room for one room with two channels.
  const tight = await startBus({ maxRooms: 3, maxChannels: 6, maxRoomParticipants: 2, maxSubscriptions: 2 })
  const configured = await startBus({
    adminKey,
    rooms: [{ name: 'den', channels: [{ name: 'fixed', type: 'private' }] }],
  })
  const keeper = await configured.connect({ headers: { authorization: `Bearer ${adminKey}` } })
  const brief = await startBus({ metadataBytes: 1024 })
  const collector = await brief.connect()
  const [outsider, stranger] = await Promise.all([noAutoCreate.connect(), adminsCreate.connect()])
  const [first, second, third] = await Promise.all([tight.connect(), tight.connect(), tight.connect()])
  await first.command('join_channel', { channel: 'only:a' })
  await first.command('join_channel', { channel: 'only:b' })
  await third.command('join_channel', { channel: 'only:a' })
  await outsider.command('create_channel', { channel: 'there:a' })

  await run(owner, 'create_channel', { channel: 'club:secret', type: 'private' })
  await run(owner, 'create_channel', { channel: 'club:small', options: { max_participants: 1 } })
  await run(owner, 'join_channel', { channel: 'club:small' })
  await run(owner, 'create_channel', { channel: 'club:empty' })
  await run(owner, 'create_channel', { channel: 'halted:a' })
  await run(admin, 'pause_room', { room: 'halted' })

  const said = await owner.publish({ type: 'event', room: 'club', channel: 'small', payload: {} })

  /** The client, its command, and the expected code. */
  const cases: [client: TestClient, name: CommandName, parameters: object, code: ErrorCode][] = [
    [user, 'list_rooms', { room: 'no-room' }, 'room_not_found'],
    [user, 'list_channels', { room: 'no-room' }, 'room_not_found'],
    [user, 'list_clients', { channel: 'club:secret' }, 'forbidden'],
    [user, 'list_clients', { room: 'no-room' }, 'room_not_found'],
    [user, 'list_clients', { channel: 'no-room:a' }, 'room_not_found'],
    [user, 'list_clients', { channel: 'club:none' }, 'channel_not_found'],
    [user, 'list_clients', { channel: 'club:pm' }, 'system_channel'],
    [user, 'channel_info', { channel: 'club:secret' }, 'forbidden'],
    [user, 'channel_info', { channel: 'no-room:a' }, 'room_not_found'],
    [user, 'channel_info', { channel: 'club:none' }, 'channel_not_found'],
    [user, 'channel_info', { channel: 'club:*' }, 'channel_not_found'],
    [user, 'channel_info', { channel: 'integriguard:pm' }, 'system_channel'],
    [user, 'history', { channel: 'club:secret' }, 'forbidden'],
    [user, 'history', { channel: 'no-room:a' }, 'room_not_found'],
    [user, 'history', { channel: 'no-room:*' }, 'room_not_found'],
    [user, 'history', { channel: 'club:none' }, 'channel_not_found'],
    [user, 'history', { channel: 'club:pm' }, 'system_channel'],
    [user, 'history', { channel: 'integriguard:dashboard-events' }, 'system_channel'],
    [user, 'presence', { channel: 'club:secret' }, 'forbidden'],
    [user, 'presence', { channel: 'no-room:*' }, 'room_not_found'],
    [user, 'presence', { channel: 'club:none' }, 'channel_not_found'],
    [user, 'presence', { channel: 'club:pm' }, 'system_channel'],
    [user, 'set_presence', { channel: 'club:secret', status: {} }, 'forbidden'],
    [user, 'set_presence', { channel: 'no-room:*', status: {} }, 'room_not_found'],
    [user, 'set_presence', { channel: 'club:none', status: {} }, 'channel_not_found'],
    [user, 'set_presence', { channel: 'club:pm', status: {} }, 'system_channel'],
    [user, 'join_channel', { channel: 'club:secret' }, 'forbidden'],
    [outsider, 'join_channel', { channel: 'no-room:a' }, 'room_not_found'],
    [outsider, 'join_channel', { channel: 'no-room:*' }, 'room_not_found'],
    [outsider, 'join_channel', { channel: 'there:none' }, 'channel_not_found'],
    [user, 'join_channel', { channel: 'arqonbus:control' }, 'system_channel'],
    [user, 'join_channel', { channel: 'arqonbus:*' }, 'system_room'],
    [user, 'join_channel', { channel: 'club:small' }, 'channel_full'],
    [user, 'join_channel', { channel: 'club:empty', type: 'private' }, 'channel_type_mismatch'],
    [second, 'join_channel', { channel: 'only:a' }, 'room_full'],
    [second, 'join_channel', { channel: 'only:*' }, 'room_full'],
    [first, 'join_channel', { channel: 'only:*' }, 'too_many_subscriptions'],
    [second, 'join_channel', { channel: 'another:a' }, 'too_many_rooms'],
    [third, 'join_channel', { channel: 'only:c' }, 'too_many_channels'],
    [stranger, 'create_channel', { channel: 'any:a' }, 'forbidden'],
    [user, 'create_channel', { channel: 'arqonbus:mine' }, 'system_room'],
    [user, 'create_channel', { channel: 'integriguard:mine' }, 'system_room'],
    [admin, 'create_channel', { channel: 'integriguard:mine' }, 'system_room'],
    [user, 'create_channel', { channel: 'club:pm' }, 'system_channel'],
    [user, 'create_channel', { channel: 'club:empty' }, 'channel_exists'],
    [user, 'create_channel', { channel: 'club:disk', options: { durability: 'disk' } }, 'storage_unavailable'],
    [second, 'create_channel', { channel: 'another:a' }, 'too_many_rooms'],
    [second, 'create_channel', { channel: 'only:c' }, 'too_many_channels'],
    [collector, 'create_channel', { channel: 'a:b', metadata: { topic: 'x'.repeat(1024) } }, 'quota_exceeded'],
    [user, 'delete_channel', { channel: 'club:empty' }, 'forbidden'],
    [user, 'delete_channel', { channel: 'no-room:a' }, 'room_not_found'],
    [user, 'delete_channel', { channel: 'club:none' }, 'channel_not_found'],
    [user, 'delete_channel', { channel: 'club:*' }, 'channel_not_found'],
    [admin, 'delete_channel', { channel: 'integriguard:telemetry-stream' }, 'channel_hardcoded'],
    [owner, 'delete_channel', { channel: 'club:small' }, 'channel_not_empty'],
    [user, 'delete_message', { channel: 'club:small', position: said.position }, 'forbidden'],
    [user, 'delete_message', { channel: 'club:small', position: '1-7' }, 'message_not_found'],
    [user, 'delete_message', { channel: 'no-room:a', position: '1-1' }, 'room_not_found'],
    [user, 'delete_message', { channel: 'club:none', position: '1-1' }, 'channel_not_found'],
    [user, 'delete_message', { channel: 'integriguard:telemetry-stream', position: '1-1' }, 'system_channel'],
    ...(['invite', 'remove_member'] as const).flatMap((name): typeof cases => [
      [user, name, { channel: 'club:secret', client_id: 'second' }, 'forbidden'],
      [user, name, { channel: 'no-room:a', client_id: 'second' }, 'room_not_found'],
      [user, name, { channel: 'club:none', client_id: 'second' }, 'channel_not_found'],
      [owner, name, { channel: 'club:empty', client_id: 'second' }, 'channel_type_mismatch'],
      [keeper, name, { channel: 'den:fixed', client_id: 'second' }, 'channel_hardcoded'],
    ]),
    [user, 'pause_room', { room: 'club' }, 'forbidden'],
    [admin, 'pause_room', { room: 'no-room' }, 'room_not_found'],
    [admin, 'pause_room', { room: 'arqonbus' }, 'room_hardcoded'],
    [user, 'resume_room', { room: 'club' }, 'forbidden'],
    [admin, 'resume_room', { room: 'no-room' }, 'room_not_found'],
    [admin, 'resume_room', { room: 'integriguard' }, 'room_hardcoded'],
    [user, 'delete_room', { room: 'club' }, 'forbidden'],
    [admin, 'delete_room', { room: 'no-room' }, 'room_not_found'],
    [admin, 'delete_room', { room: 'integriguard' }, 'room_hardcoded'],
    [admin, 'delete_room', { room: 'club' }, 'room_not_empty'],
    [owner, 'delete_room', { room: 'club' }, 'room_not_empty'],
    [owner, 'delete_room', { room: 'halted' }, 'room_paused'],
    [user, 'disconnect_client', { client_id: 'owner' }, 'forbidden'],
    [admin, 'disconnect_client', { client_id: 'nobody' }, 'client_not_found'],
    [user, 'authenticate', { token: 'guessed' }, 'unauthenticated'],
    [user, 'revoke', { sub: 'somebody' }, 'forbidden'],
    [user, 'reload', {}, 'forbidden'],
    [admin, 'reload', {}, 'reload_failed'],
  ]

  test.each(cases.map(([client, ...rest]) => [...rest, client] as const))(
    '%s %j is refused with %s',
    async (name, parameters, code, client) => {
      expect(await refused(client, name, parameters)).toMatchObject({ code })
    },
  )

  test('the refusals shown here cover exactly the codes that the commands declare', () => {
    // Codes that any frame may get (invalid form, rate, a command for admins) are not declared, and a log in memory is
    // never unreachable.
    const notShown = new Set<string>(['storage_unavailable', 'token_expired', 'auth_unavailable'])
    for (const name of commandNames) {
      // Tokens are tested in `test/auth/`.
      if (name === 'authenticate' || name === 'update_profile') notShown.add('forbidden')
      else notShown.delete('forbidden')
      const shown = new Set<string>(cases.filter((one) => one[1] === name).map((one) => one[3]))
      if (commands[name].requires_admin) shown.delete('forbidden')
      const declared = commands[name].errors.filter((code) => shown.has(code) || !notShown.has(code))
      expect({ name, errors: [...shown].toSorted() }).toEqual({ name, errors: declared.toSorted() })
    }
  })
})

describe('the order of checks: parameters, permission, existence, state', () => {
  test('invalid parameters are reported before a missing permission', async () => {
    expect(await refused(user, 'pause_room', { room: 'no room' })).toMatchObject({ code: 'invalid_parameters' })
    expect(await refused(user, 'disconnect_client', {})).toMatchObject({ code: 'invalid_parameters' })
    expect(await refused(user, 'delete_channel', { room: 'x', channel: 'club:secret' })).toMatchObject({
      code: 'invalid_parameters',
    })
  })

  test('a missing permission is reported before a missing room, channel or client', async () => {
    expect(await refused(user, 'pause_room', { room: 'no-room' })).toMatchObject({ code: 'forbidden' })
    expect(await refused(user, 'resume_room', { room: 'arqonbus' })).toMatchObject({ code: 'forbidden' })
    expect(await refused(user, 'disconnect_client', { client_id: 'nobody' })).toMatchObject({ code: 'forbidden' })
    expect(await refused(user, 'channel_info', { channel: 'no-room:a', admin_key: 'wrong' })).toMatchObject({
      code: 'forbidden',
    })
  })

  test('a missing permission is reported before a conflicting state', async () => {
    expect(await refused(user, 'delete_channel', { channel: 'club:small' })).toMatchObject({ code: 'forbidden' })
  })

  test('a join with an invalid position creates no channel', async () => {
    const faulty = [{ since: { a: '1-1' } }, { since_id: { a: 'arq_1' } }, { since: '9999999999999999-1' }]
    for (const fault of faulty) {
      expect(await refused(user, 'join_channel', { channel: 'unborn:a', ...fault })).toMatchObject({
        code: 'invalid_parameters',
        details: { path: expect.stringMatching(/^\/parameters\/since/) },
      })
    }
    for (const fault of [{ since: '1-1' }, { since_id: 'arq_1' }, { since: { a: 'x' } }]) {
      expect(await refused(user, 'join_channel', { channel: 'unborn:*', ...fault })).toMatchObject({
        code: 'invalid_parameters',
      })
    }
    expect(await refused(user, 'list_channels', { room: 'unborn' })).toMatchObject({ code: 'room_not_found' })
  })
})

describe('create_channel', () => {
  test('create_channel refuses invalid parameters', async () => {
    const wrong: object[] = [
      { type: 'system' },
      { type: 'pm' },
      { metadata: [] },
      { metadata: { text: 'x'.repeat(17_000) } },
      { room_config: { text: 'x'.repeat(17_000) } },
      { options: { history_size: -1 } },
      { options: { history_size: 1.5 } },
      { options: { history_ttl_ms: 0 } },
      { options: { max_participants: 0 } },
      { options: { durability: 'best' } },
      { options: { colour: 'blue' } },
    ]
    for (const fault of wrong)
      expect(await refused(user, 'create_channel', { channel: 'checked:a', ...fault })).toMatchObject({
        code: 'invalid_parameters',
      })
    expect(await refused(user, 'create_channel', { channel: 'checked:*' })).toMatchObject({
      code: 'invalid_parameters',
    })
    expect(await refused(user, 'list_channels', { room: 'checked' })).toMatchObject({ code: 'room_not_found' })
  })

  test('create_channel creates no room when it cannot create the channel', async () => {
    expect(
      await refused(user, 'create_channel', { channel: 'unmade:a', options: { durability: 'stored' } }),
    ).toMatchObject({
      code: 'storage_unavailable',
      details: { asked: { level: 'stored' }, available: { level: 'memory' } },
    })
    expect(await refused(user, 'list_channels', { room: 'unmade' })).toMatchObject({ code: 'room_not_found' })
  })

  test('create_channel accepts room_config only when it creates the room', async () => {
    await run(owner, 'create_channel', { channel: 'configured:a', room_config: { a: 1 } })
    expect(await refused(owner, 'create_channel', { channel: 'configured:b', room_config: { a: 2 } })).toMatchObject({
      code: 'invalid_parameters',
      details: { path: '/parameters/room_config' },
    })
  })
})
