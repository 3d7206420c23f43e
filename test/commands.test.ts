/** All commands: their results and their forms (docs/protocol.md#commands). */
import { describe, expect, test } from 'bun:test'
import { type CommandName, type CommandShape, commands } from '@arqonbus/protocol'
import { type Publish, startBus, testClock } from '@arqonbus/testing'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { commandNames, refused, run } from './support/ask.ts'

const adminKey = 'correct-horse-battery-staple'
const clock = testClock()
const isoNow = () => new Date(clock.now()).toISOString()
const bus = await startBus({ adminKey, rateLimit: null }, { clock })
const [user, owner, admin] = await Promise.all([
  bus.as('user'),
  bus.as('owner'),
  bus.connect({ query: { client_id: 'admin' }, headers: { authorization: `Bearer ${adminKey}` } }),
])

/** Parameters without which a command is not complete. */
function neededBy(name: CommandName): object {
  const fields = commands[name].parameters.properties
  return {
    ...('client_id' in fields && { client_id: 'user' }),
    ...('position' in fields && { position: '1-1' }),
    ...(name === 'authenticate' && { token: adminKey }),
    ...(name === 'set_presence' && { status: null }),
  }
}

describe('results in the declared form', () => {
  test('there are exactly these commands', () => {
    expect(commandNames.toSorted()).toEqual([
      'authenticate',
      'channel_info',
      'create_channel',
      'delete_channel',
      'delete_message',
      'delete_room',
      'disconnect_client',
      'history',
      'invite',
      'join_channel',
      'leave_channel',
      'list_channels',
      'list_clients',
      'list_commands',
      'list_rooms',
      'pause_room',
      'ping',
      'presence',
      'reload',
      'remove_member',
      'resume_room',
      'revoke',
      'set_presence',
      'status',
      'update_profile',
    ])
  })

  test('ping replies with pong and the time', async () => {
    expect(await run(user, 'ping')).toEqual({ pong: true, timestamp: isoNow() })
  })

  test('list_commands describes every command as it is declared, with its rate where it has one of its own', async () => {
    const rate = { perSecond: 5, burst: 50 }
    const limited = await startBus({ commandRate: rate, presenceRate: rate })
    const described = (await run(await limited.as('reader'), 'list_commands')).commands
    expect(described.map(({ name }) => name)).toEqual(commandNames)
    const ajv = new Ajv2020({ strict: true, allowUnionTypes: true, strictTypes: false })
    for (const info of described) {
      const shape: CommandShape = commands[info.name as CommandName]
      expect(info).toMatchObject({
        description: expect.stringContaining(shape.summary),
        response_format: `${info.name}_result`,
        requires_admin: shape.requires_admin,
        channel_scope: shape.channel_scope,
        needs_connection: shape.needs_connection,
      })
      expect([info.name, info.rate_limit]).toEqual([
        info.name,
        shape.rate_limited ? { per_second: 5, burst: 50 } : undefined,
      ])
      expect(ajv.compile(info.parameters)({ no_such_parameter: 1 })).toBe(false)
    }
    const parametersOf = (name: string) => ajv.compile(described.find((one) => one.name === name)!.parameters)
    expect(parametersOf('history')({ channel: 'science:explore', limit: 10 })).toBe(true)
    expect(parametersOf('history')({ limit: 0 })).toBe(false)
    expect(described.filter((one) => one.requires_admin).map(({ name }) => name)).toEqual([
      'pause_room',
      'resume_room',
      'disconnect_client',
      'revoke',
      'reload',
    ])
    const unlimited = await startBus({ rateLimit: null, commandRate: null })
    const withoutRates = (await run(await unlimited.as('reader'), 'list_commands')).commands
    expect(withoutRates.every((one) => one.rate_limit === undefined)).toBe(true)
  })

  test('the reply to a command names its requester, if it succeeds or fails, and that to a message does not', async () => {
    const send = (payload: Record<string, unknown>) => user.answer(user.send({ type: 'command', payload }))
    expect(await send({ name: 'ping' })).toMatchObject({ command: 'ping', requester: 'user', status: 'success' })
    expect(await send({ name: 'history', parameters: { limit: 0 } })).toMatchObject({
      command: 'history',
      requester: 'user',
      error: { code: 'invalid_parameters' },
    })
    expect(await send({ name: 'nothing' })).toMatchObject({ requester: 'user', error: { code: 'unknown_command' } })
    const acknowledged = await user.answer(user.send({ room: 'asked', channel: 'a', metadata: { ack: true } }))
    expect(acknowledged).not.toHaveProperty('requester')
  })

  test('status counts the connections, clients, rooms, channels and participants of the bus', async () => {
    const fresh = await startBus({}, { clock })
    const [bot] = await Promise.all([
      fresh.connect({ query: { client_id: 'bot', client_type: 'ai-agent', join: ['a:one', 'a:two', 'b:*'] } }),
      fresh.as('person', 'a:one'),
    ])
    await bot.publish({ room: 'a', channel: 'one' })
    const status = await run(bot, 'status')
    expect(status.server).toMatchObject({
      name: 'arqonbus',
      protocol: '1.0',
      node: bot.welcome.node,
      status: 'ok',
      uptime_seconds: 0,
    })
    expect(status.storage).toMatchObject({ driver: 'memory', durability: 'memory', history_messages: 1 })
    expect(status.totals).toEqual({ connections: 2, streams: 0, clients: 2, rooms: 4, channels: 6, participants: 4 })
    expect(status.clients_by_type).toEqual({ human: 1, 'ai-agent': 1, dashboard: 0, service: 0 })
    expect(status.clients!.map(({ client_id: id }) => id).toSorted()).toEqual(['bot', 'person'])
    expect(status.rooms.map(({ name, type }) => `${name} ${type}`)).toEqual([
      'arqonbus system',
      'integriguard system',
      'a dynamic',
      'b dynamic',
    ])
    expect(status.rooms[2]).toEqual({
      name: 'a',
      type: 'dynamic',
      state: 'active',
      channels: ['one', 'two'],
      channel_count: 2,
      created_at: isoNow(),
      created_by: 'bot',
      participant_count: 2,
    })
  })

  test('create_channel, channel_info, list_channels and delete_channel reply in their declared form', async () => {
    const wanted = { metadata: { topic: 'x' }, options: { history_size: 3, max_participants: 2 } }
    const { channel } = await run(owner, 'create_channel', {
      channel: 'made:first',
      ...wanted,
      room_config: { colour: 'blue' },
    })
    expect(channel).toEqual({
      name: 'first',
      room: 'made',
      type: 'general',
      state: 'empty',
      created_at: isoNow(),
      created_by: 'owner',
      ...wanted,
      hardcoded: false,
      auto_created: false,
      participant_count: 0,
    })
    expect(await run(user, 'list_channels', { room: 'made' })).toEqual({
      channels: [{ ...channel, messages_per_second: 0 }],
    })
    const origin = `${clock.now()}-0`
    const { participant_count: _, ...entity } = channel
    expect(await run(user, 'channel_info', { channel: 'made:first' })).toEqual({
      channel: { ...entity, participants: [], participant_count: 0, room_participants: [] },
      position: origin,
      first: origin,
    })
    const rooms = (await run(user, 'status')).rooms
    expect(rooms.find(({ name }) => name === 'made')).toMatchObject({
      type: 'user',
      created_by: 'owner',
      config: { colour: 'blue' },
    })
    expect(await run(owner, 'delete_channel', { channel: 'made:first' })).toEqual({
      channel: 'made:first',
      deleted: true,
    })
    expect(await run(user, 'list_channels', { room: 'made' })).toEqual({ channels: [] })
  })

  test('join_channel, leave_channel, history and list_clients reply in their declared form', async () => {
    expect(await run(user, 'join_channel', { channel: 'talk:a' })).toMatchObject({
      channel: 'talk:a',
      position: `${clock.now()}-0`,
    })
    expect(await run(user, 'join_channel', { channel: 'talk:*', presence: true })).toMatchObject({
      channel: 'talk:*',
      recoverable: true,
    })
    await run(owner, 'join_channel', { channels: [{ channel: 'talk:b' }, { room: 'talk', channel: 'c' }] })
    const { position: first } = await user.publish({ room: 'talk', channel: 'a', payload: { n: 1 } })
    const { position } = await user.publish({ room: 'talk', channel: 'a', payload: { n: 2 } })
    expect(await run(user, 'channel_info', { channel: 'talk:a' })).toMatchObject({ first: first!, position: position! })
    expect((await run(owner, 'history', { channel: 'talk:a' })).messages).toMatchObject([
      { from: 'user', payload: { n: 1 } },
      { from: 'user', payload: { n: 2 } },
    ])
    const ids = async (parameters: object) =>
      (await run(admin, 'list_clients', parameters)).clients.map(({ client_id: id }) => id)
    expect(await ids({})).toEqual(expect.arrayContaining(['user', 'owner', 'admin']))
    expect(await ids({ room: 'talk' })).toEqual(['user', 'owner'])
    expect(await ids({ channel: 'talk:*' })).toEqual(['user', 'owner'])
    expect(await ids({ channel: 'talk:a' })).toEqual(['user'])
    expect(await run(user, 'leave_channel', { channel: 'talk:a' })).toEqual({ channel: 'talk:a', left: true })
    expect(await ids({ channel: 'talk:a' })).toEqual([])
  })

  test('update_profile sets, changes and removes fields, and keeps those that it does not name', async () => {
    const client = await bus.connect({ query: { client_id: 'vain', screen_name: 'First', avatar: 'a.png' } })
    const set = await run(client, 'update_profile', { screen_name: 'Second', personality: 'calm' })
    expect(set.client).toMatchObject({ client_id: 'vain', screen_name: 'Second', avatar: 'a.png', personality: 'calm' })
    const taken = await run(client, 'update_profile', { screen_name: null })
    expect(taken.client).not.toHaveProperty('screen_name')
    expect(taken.client).toMatchObject({ avatar: 'a.png', personality: 'calm' })
    const { clients } = await run(user, 'list_clients', { limit: 1000 })
    const traffic = { frames_received: 2, messages_per_second: 0, queue_bytes: 0, behind: false }
    expect(clients).toContainEqual({ ...taken.client, ...traffic })
    for (const wrong of [
      { screen_name: 'a\nb' },
      { screen_name: 'a'.repeat(129) },
      { avatar: 'a'.repeat(2049) },
      { personality: 7 },
    ]) {
      expect(await refused(client, 'update_profile', wrong)).toMatchObject({ code: 'invalid_parameters' })
    }
  })

  test('pause_room, resume_room and delete_room reply in their declared form', async () => {
    await run(user, 'join_channel', { channel: 'stage:*' })
    expect((await run(admin, 'pause_room', { room: 'stage' })).room).toMatchObject({
      name: 'stage',
      type: 'dynamic',
      state: 'paused',
    })
    expect((await run(admin, 'resume_room', { room: 'stage' })).room).toMatchObject({
      state: 'active',
      participant_count: 1,
    })
    expect(await run(admin, 'delete_room', { room: 'stage' })).toEqual({ room: 'stage', deleted: true })
  })

  test('disconnect_client closes the connection with 4411 and the given reason', async () => {
    const [one, two] = await Promise.all([bus.as('unwanted'), bus.as('unwanted-too')])
    expect(await run(admin, 'disconnect_client', { client_id: 'unwanted', reason: 'spam' })).toEqual({
      client_id: 'unwanted',
      disconnected: true,
    })
    expect(await one.closed).toEqual({ code: 4411, reason: 'spam' })
    await run(admin, 'disconnect_client', { client_id: 'unwanted-too' })
    expect(await two.closed).toEqual({ code: 4411, reason: 'disconnected by an admin' })
  })
})

describe('addresses', () => {
  const forms: [string, object | undefined, Publish | undefined][] = [
    ['{ channel: "room:channel" }', { channel: 'forms:a' }, undefined],
    ['{ room, channel }', { room: 'forms', channel: 'a' }, undefined],
    ['{ room, channel: "room:channel" } of one room', { room: 'forms', channel: 'forms:a' }, undefined],
    ['{ channel } in the room of the envelope', { channel: 'a' }, { room: 'forms' }],
    ['{ room } with the channel of the envelope', { room: 'forms' }, { channel: 'a' }],
    ['the address of the envelope', undefined, { room: 'forms', channel: 'a' }],
  ]
  test.each(forms)('a channel is named by %s', async (_, parameters, fields) => {
    await owner.publish({ room: 'forms', channel: 'a' })
    const { channel } = await run(user, 'channel_info', parameters, fields)
    expect(channel).toMatchObject({ room: 'forms', name: 'a' })
  })

  test('two different rooms in one address are refused as invalid parameters', async () => {
    expect(await refused(user, 'channel_info', { room: 'one', channel: 'other:a' })).toMatchObject({
      code: 'invalid_parameters',
      details: { path: '/parameters/room' },
    })
  })

  test('the channel "*" in the envelope of a command addresses the whole room', async () => {
    expect(await run(user, 'join_channel', undefined, { room: 'whole', channel: '*' })).toMatchObject({
      channel: 'whole:*',
    })
  })

  test('the address of a command’s envelope creates nothing', async () => {
    const before = (await run(user, 'status')).totals
    await run(user, 'ping', undefined, { room: 'nowhere', channel: 'at-all' })
    expect((await run(user, 'status', undefined, { room: 'nowhere', channel: '*' })).totals).toEqual(before)
  })

  test('an invalid address is refused with the path of the parameter', async () => {
    for (const channel of ['a:b:c', ':a', 'a:', '-a', '*:a', '**', 'a b', 'x'.repeat(65), '']) {
      expect(await refused(user, 'join_channel', { channel })).toMatchObject({
        code: 'invalid_parameters',
        details: { path: '/parameters/channel' },
      })
    }
  })
})

describe('parameters', () => {
  test('a command without parameters is accepted like one with empty parameters', async () => {
    await run(user, 'ping')
    await run(user, 'ping', {})
  })

  test('unknown parameters, unknown payload keys and invalid command names are refused with their path', async () => {
    const wrong: [unknown, string][] = [
      [{}, '/name'],
      [{ name: 7 }, '/name'],
      [{ name: null }, '/name'],
      [{ parameters: {} }, '/name'],
      [{ name: 'ping', more: 1 }, '/more'],
      [{ name: 'ping', parameters: [] }, '/parameters'],
      [{ name: 'ping', parameters: null }, '/parameters'],
      [{ name: 'ping', parameters: 'x' }, '/parameters'],
      [{ name: 'ping', parameters: { x: 1 } }, '/parameters/x'],
      [{ name: 'history', parameters: { limit: '5' } }, '/parameters/limit'],
      [{ name: 'join_channel', parameters: { channels: [{ channel: 'a:b', x: 1 }] } }, '/parameters/channels/0/x'],
    ]
    for (const [payload, path] of wrong) {
      const { error } = await user.answer(user.send({ type: 'command', payload: payload as Record<string, unknown> }))
      expect({ payload, error }).toMatchObject({
        payload,
        error: { code: 'invalid_parameters', status: 400, details: { path } },
      })
    }
  })

  test('every command refuses an unknown parameter and accepts admin_key', async () => {
    for (const name of commandNames) {
      expect(await refused(user, name, { no_such: 1 })).toMatchObject({ code: 'invalid_parameters' })
      expect(await refused(user, name, { ...neededBy(name), admin_key: 7 })).toMatchObject({
        code: 'invalid_parameters',
        details: { path: '/parameters/admin_key' },
      })
    }
  })

  test('an unknown command is refused with unknown_command, even if objects have a property of its name', async () => {
    for (const name of ['authenticat', 'Ping', 'constructor', '__proto__', 'toString', '']) {
      const { command, error } = await user.answer(user.send({ type: 'command', payload: { name } }))
      expect(error).toMatchObject({ code: 'unknown_command', status: 404 })
      expect(command).toBeUndefined()
    }
  })
})

describe('the admin key', () => {
  test('the admin key grants the admin role only to the command that carries it', async () => {
    await owner.publish({ room: 'keyed', channel: 'a' })
    await run(user, 'pause_room', { room: 'keyed', admin_key: adminKey })
    expect(await refused(user, 'resume_room', { room: 'keyed' })).toMatchObject({
      code: 'forbidden',
      details: { requires: 'admin' },
    })
    await run(user, 'resume_room', { room: 'keyed', admin_key: adminKey })
  })

  test('a wrong admin key is forbidden on every command, even for admins, and is not repeated in the error', async () => {
    for (const client of [user, admin]) {
      for (const name of commandNames) {
        const parameters = { admin_key: 'guessed', ...neededBy(name) }
        const error = await refused(client, name, parameters)
        expect(error).toMatchObject({ code: 'forbidden', status: 403, details: { path: '/parameters/admin_key' } })
        expect(JSON.stringify(error)).not.toContain('guessed')
      }
    }
  })

  test('every admin key is refused if none is configured', async () => {
    const client = await (await startBus()).connect()
    for (const key of ['', 'undefined', adminKey]) {
      expect(await refused(client, 'ping', { admin_key: key })).toMatchObject({ code: 'forbidden' })
    }
  })

  test('the admin key gives access to private channels', async () => {
    await run(owner, 'create_channel', { channel: 'locked:closed', type: 'private' })
    expect(await refused(user, 'channel_info', { channel: 'locked:closed' })).toMatchObject({ code: 'forbidden' })
    await run(user, 'channel_info', { channel: 'locked:closed', admin_key: adminKey })
    await run(user, 'history', { channel: 'locked:closed', admin_key: adminKey })
    const { channels } = await run(user, 'list_channels', { room: 'locked', admin_key: adminKey })
    expect(channels.map(({ name }) => name)).toEqual(['closed'])
    await run(user, 'delete_channel', { channel: 'locked:closed', admin_key: adminKey })
  })
})
