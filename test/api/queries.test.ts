import { describe, expect, test } from 'bun:test'
import { type CommandInfo, commands } from '@arqonbus/protocol'
import { startBus, type TestClient } from '@arqonbus/testing'
import { as, caller, messagesOf } from './call.ts'

const bus = await startBus({ maxRooms: 20 })
const call = caller(bus.httpUrl)
/** The headers of a client that shows its session. */
const proofOf = ({ id, welcome }: TestClient) => ({ ...as(id), 'arqonbus-session': welcome.session })

const publish = async (room: string, channel: string, count: number) => {
  const positions: string[] = []
  for (let n = 1; n <= count; n++)
    positions.push((await call(messagesOf(room, channel), { body: `{"payload":{"n":${n}}}` })).body.position)
  return positions
}

describe('queries by HTTP', () => {
  test('history by HTTP returns the same page as the command', async () => {
    const positions = await publish('science', 'history', 5)
    const client = await bus.as('asker')
    const expected = await client.command('history', { channel: 'science:history', after: positions[1]!, limit: 2 })
    const { body } = await call(`${messagesOf('science', 'history')}?after=${positions[1]}&limit=2`)
    expect(body).toEqual(expected)
    const numbers = async (query: string) =>
      (await call(`${messagesOf('science', 'history')}${query}`)).body.messages.map(
        ({ payload }: { payload: { n: number } }) => payload.n,
      )
    expect(await numbers('')).toEqual([1, 2, 3, 4, 5])
    expect(await numbers(`?before=${positions[3]}&limit=2`)).toEqual([2, 3])
    expect(await numbers('?order=desc&limit=2')).toEqual([5, 4])
  })

  test('status, rooms, channels, clients and a single channel by HTTP equal the results of the commands', async () => {
    await publish('art', 'main', 1)
    const client = await bus.as('watcher', 'art:main')
    expect((await call('/status')).body).toMatchObject({ server: { name: 'arqonbus', status: 'ok' } })
    expect((await call('/rooms?room=art')).body).toEqual(await client.command('list_rooms', { room: 'art' }))
    expect((await call('/rooms?limit=1')).body).toMatchObject({
      rooms: [{ name: 'arqonbus' }],
      cursor: expect.any(String),
    })
    expect((await call('/channels?room=art')).body).toEqual(await client.command('list_channels', { room: 'art' }))
    expect(
      (await call('/clients?channel=art:main')).body.clients.map((one: { client_id: string }) => one.client_id),
    ).toEqual(['watcher'])
    expect((await call('/rooms/art/channels/main')).body).toMatchObject({
      channel: { room: 'art', name: 'main', participants: ['watcher'] },
      position: expect.stringMatching(/-1$/),
    })
  })

  test('lists by HTTP come in pages', async () => {
    for (const channel of ['a', 'b', 'c']) await publish('paged', channel, 1)
    const first = await call('/channels?room=paged&limit=2')
    const second = await call(`/channels?room=paged&limit=2&cursor=${first.body.cursor}`)
    const names = [...first.body.channels, ...second.body.channels].map(({ name }: { name: string }) => name)
    expect([names, second.body.cursor]).toEqual([['a', 'b', 'c'], undefined])
  })

  test('a query with thousands of names is refused for the first invalid one', async () => {
    const names = Array.from({ length: 1500 }, (_, i) => `${i}=`).join('&')
    expect(await call(`/status?${names}`)).toMatchObject({
      status: 400,
      body: { error: { code: 'invalid_parameters' } },
    })
    for (const query of ['limit=1&limit=2', 'limit=1&x=&limit=2'])
      expect(await call(`/channels?${query}`)).toMatchObject({
        status: 400,
        body: {
          error: { code: 'invalid_parameters', details: { path: '/query/limit', expected: 'to be given once' } },
        },
      })
    expect(await call('/status?__proto__=x')).toMatchObject({ status: 400 })
  })

  test('the answer to a command names the client that it was run for, and a shared answer names none', async () => {
    const requesterOf = async (path: string, options = {}) => {
      const { headers } = await call(path, options)
      return headers.get('arqonbus-client-id')
    }
    expect(await requesterOf('/commands/ping', { body: '', headers: as('ada') })).toBe('ada')
    expect(await requesterOf('/commands/ping', { body: '{"x":1}', headers: as('ada') })).toBe('ada')
    const [first, second] = [
      await requesterOf('/commands/ping', { body: '' }),
      await requesterOf('/commands/ping', { body: '' }),
    ]
    expect([typeof first, typeof second, first === second]).toEqual(['string', 'string', false])
    expect(await requesterOf('/channels', { headers: as('ada') })).toBe('ada')
    expect(await requesterOf('/channels')).toBeNull()
    expect(await requesterOf('/channels?limit=0')).toBeNull()
  })

  test('the list of commands by HTTP and the operations of the OpenAPI document say the same', async () => {
    const { body } = await call('/commands')
    expect(body).toEqual(await (await bus.as('lister')).command('list_commands'))
    const { paths } = (await (await fetch(`${bus.httpUrl}/openapi.json`)).json()) as {
      paths: Record<string, Record<string, Record<string, unknown>>>
    }
    for (const info of body.commands as CommandInfo[]) {
      if (info.needs_connection) continue
      expect(paths[`/api/v1/commands/${info.name}`]?.post).toMatchObject({
        'x-command': info.name,
        'x-response-format': info.response_format,
        'x-requires-admin': info.requires_admin,
        'x-channel-scope': info.channel_scope,
      })
      expect(paths[`/api/v1/commands/${info.name}`]?.post?.['x-rate-limit']).toEqual(info.rate_limit)
    }
    expect(paths['/api/v1/rooms']?.get).toMatchObject({ 'x-command': 'list_rooms', 'x-rate-limit': expect.anything() })
  })

  test('every command that needs no connection can be called by HTTP with its parameters as the body', async () => {
    expect((await call('/commands/ping', { body: '' })).body).toMatchObject({ pong: true })
    const [maker, ada] = await Promise.all([bus.as('maker'), bus.as('ada')])
    const made = await call('/commands/create_channel', {
      body: '{"channel":"made:here","type":"private","metadata":{"members":["ada"]}}',
      headers: proofOf(maker),
    })
    expect(made.body.channel).toMatchObject({ type: 'private', created_by: 'maker' })
    const statusFor = async (headers: Record<string, string>, body?: string) =>
      (await call(messagesOf('made', 'here'), { headers, ...(body !== undefined && { body }) })).status
    expect(await statusFor(as('eve'))).toBe(403)
    expect(await statusFor(as('eve'), '{"payload":{}}')).toBe(403)
    expect([await statusFor(proofOf(maker)), await statusFor(proofOf(ada))]).toEqual([200, 200])
    for (const { name, needs_connection } of Object.values(commands)) {
      const { status, body } = await call(`/commands/${name}`, { body: '{"unheard_of":1}' })
      expect([name, status, body.error.code]).toEqual(
        needs_connection ? [name, 404, 'not_found'] : [name, 400, 'invalid_parameters'],
      )
    }
  })

  test('invalid, unknown, repeated or secret parameters of a call are refused with their path', async () => {
    const cases: [string, string][] = [
      ['/channels?limit=0', '/parameters/limit'],
      ['/channels?limit=many', '/parameters/limit'],
      ['/channels?limt=1', '/parameters/limt'],
      ['/channels?limit=1&limit=2', '/query/limit'],
      ['/channels?admin_key=x', '/query/admin_key'],
      ['/channels?token=x', '/query/token'],
      ['/channels?client_id=-', '/query/client_id'],
      ['/channels?client_id=arqonbus', '/query/client_id'],
      [`${messagesOf('science', 'x')}?room=art`, '/query/room'],
      [`${messagesOf('science', 'x')}?after=yesterday`, '/parameters/after'],
      [`${messagesOf('%22', 'x')}`, '/parameters/room'],
      ['/rooms/science/channels/*/stream', '/channel'],
      ['/rooms/science/channels/x/stream?since=yesterday', '/parameters/since'],
      ['/rooms/science/channels/x/stream?form=now', '/query/form'],
    ]
    for (const [path, place] of cases) {
      const { status, body } = await call(path)
      expect([path, status, body.error.code, body.error.details.path]).toEqual([path, 400, 'invalid_parameters', place])
    }
  })

  test('a call for a missing room or channel is answered with 404 and the error code', async () => {
    expect((await call('/rooms/nowhere/channels/x')).body.error.code).toBe('room_not_found')
    expect((await call(messagesOf('nowhere', 'x'))).body.error.code).toBe('room_not_found')
    await publish('some', 'where', 1)
    expect((await call('/rooms/some/channels/nowhere')).body.error.code).toBe('channel_not_found')
  })

  test('a call with a client id leaves no client, session or participant behind', async () => {
    await call(messagesOf('science', 'traces'), { body: '{"payload":{}}', headers: as('ghost') })
    expect((await call('/clients')).body.clients).not.toContainEqual(expect.objectContaining({ client_id: 'ghost' }))
    expect((await call('/rooms/science/channels/traces')).body.channel.participants).toEqual([])
    const someone = await bus.as('ghost')
    expect(someone.welcome.resumed).toBe(false)
  })
})
