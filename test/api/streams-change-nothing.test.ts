/**
 * Streams are opened by GET, which any page can make a browser send: they create nothing, and change nothing for other
 * clients.
 */
import { afterAll, describe, expect, test } from 'bun:test'
import { eventually, startBus } from '@arqonbus/testing'
import { as, caller, messagesOf, openStream, type Stream } from './call.ts'

const adminKey = 'k'.repeat(32)
const bus = await startBus({ adminKey })
const call = caller(bus.httpUrl)
const opened: Stream[] = []
afterAll(() => {
  for (const stream of opened) stream.close()
})
const open = async (channel: string, headers: Record<string, string> = {}) => {
  const stream = await openStream(bus.httpUrl, channel, headers)
  opened.push(stream)
  return stream
}
const pathOf = (room: string, channel: string) => `/rooms/${room}/channels/${channel}/stream`
const say = (room: string, channel: string, text: string) =>
  call(messagesOf(room, channel), { body: JSON.stringify({ payload: { text } }) })
const textIn = (data: string): string => JSON.parse(data).payload.text

describe('streams of a missing channel', () => {
  test('a stream of a missing channel creates nothing and gets every message once another client creates the channel', async () => {
    const figures = () =>
      Promise.all(['rooms', 'channels', 'sessions_kept'].map((name) => bus.metric(`arqonbus_${name}`)))
    const before = await figures()
    const streams = await Promise.all([open('later:a'), open('later:a'), open('later:b')])
    for (const stream of streams) expect(JSON.parse((await stream.nextOf('joined')).data).waiting).toBe(true)
    expect((await call('/rooms/later/channels/a')).body.error.code).toBe('room_not_found')
    expect(await figures()).toEqual(before)
    for (const text of ['first', 'second']) await say('later', 'a', text)
    for (const stream of streams.slice(0, 2)) {
      expect(JSON.parse((await stream.nextOf('joined')).data)).toMatchObject({ channel: 'later:a', recovered: true })
      const events = [await stream.nextOf('message'), await stream.nextOf('message')]
      expect(events.map(({ data }) => textIn(data))).toEqual(['first', 'second'])
    }
    expect((await call('/rooms/later/channels/b')).body.error.code).toBe('channel_not_found')
    for (const stream of streams) stream.close()
    await eventually(async () => expect(await figures()).toEqual([before[0]! + 1, before[1]! + 1, before[2]!]))
  })

  test('a stream of a missing channel that sends a position gets a gap notice once the channel exists', async () => {
    const stream = await open('again:a', { 'last-event-id': '1-7' })
    await stream.nextOf('joined')
    await say('again', 'a', 'new')
    const gap = await stream.nextOf('gap')
    expect(JSON.parse(gap.data).payload).toMatchObject({ reason: 'reset', after: '1-7' })
    expect(textIn((await stream.nextOf('message')).data)).toBe('new')
  })

  test('a stream of a missing channel is closed if the channel is created without access for it', async () => {
    const stream = await open('closed:a')
    await stream.nextOf('joined')
    await call('/commands/create_channel', { body: '{"channel":"closed:a","type":"private"}', headers: as('owner') })
    expect(JSON.parse((await stream.nextOf('closed')).data).code).toBe(4403)
    expect(await stream.next()).toBeUndefined()
  })

  test('a stream of a missing channel is refused if no client could create it or the request is invalid', async () => {
    const strict = await startBus({ autoCreate: false })
    const wrong: [string, number, string][] = [
      [pathOf('a', 'b'), 404, 'room_not_found'],
      [pathOf('arqonbus', 'x'), 403, 'system_channel'],
      [pathOf('a', 'pm'), 403, 'system_channel'],
    ]
    for (const [path, status, code] of wrong) {
      const { status: got, body } = await caller(strict.httpUrl)(path)
      expect([path, got, body.error.code]).toEqual([path, status, code])
    }
    const malformed = [
      pathOf('%22', 'a'),
      `${pathOf('new', 'a')}?since=yesterday`,
      `${pathOf('new', 'a')}?since=1-1&since_id=x`,
    ]
    for (const path of malformed) expect([path, (await call(path)).status]).toEqual([path, 400])
  })
})

describe('a session', () => {
  const welcomeOf = async (stream: Stream) => JSON.parse((await stream.nextOf('welcome')).data).payload

  test('a stream has no session: its welcome contains no secret, and nothing is kept after it', async () => {
    await say('plain', 'a', 'x')
    const stream = await open('plain:a', as('reader'))
    const welcome = await welcomeOf(stream)
    expect([welcome.client.client_id, welcome.session, welcome.resumed]).toEqual(['reader', undefined, false])
    const kept = await bus.metric('arqonbus_sessions_kept')
    stream.close()
    await eventually(async () =>
      expect((await call('/clients')).body.clients).not.toContainEqual(
        expect.objectContaining({ client_id: 'reader' }),
      ),
    )
    expect(await bus.metric('arqonbus_sessions_kept')).toBe(kept)
  })

  test('a kept session is not replaced by a stream with its client id', async () => {
    const ada = await bus.as('ada', 'kept:a', 'kept:b')
    const { session } = ada.welcome
    await ada.publish({ type: 'private', room: 'kept', channel: 'pm', metadata: { to: 'ada' } })
    await ada.close()
    expect((await call(pathOf('kept', 'a'), { headers: as('ada') })).body.error.code).toBe('client_id_in_use')
    expect((await call(`${pathOf('kept', 'a')}?client_id=ada`)).body.error).toMatchObject({
      code: 'invalid_parameters',
      details: { path: '/query/client_id' },
    })
    const back = await bus.connect({ query: { client_id: 'ada' }, headers: { 'arqonbus-session': session } })
    expect(back.welcome).toMatchObject({ resumed: true, kept_subscriptions: ['kept:a', 'kept:b'] })
    await back.close()
  })

  test('a stream that presents a session is that client, leaves the session unchanged and yields to its connection', async () => {
    const ben = await bus.as('ben', 'shown:a', 'shown:b')
    const { session } = ben.welcome
    await ben.publish({ type: 'private', room: 'shown', channel: 'pm', metadata: { to: 'ben' } })
    await ben.close()
    const proof = { ...as('ben'), 'arqonbus-session': session }
    const stream = await open('shown:a', proof)
    const welcome = await welcomeOf(stream)
    expect([welcome.client.client_id, welcome.session, welcome.resumed]).toEqual(['ben', undefined, false])
    await stream.nextOf('joined')
    const carl = await bus.as('carl')
    await carl.publish({
      type: 'private',
      room: 'shown',
      channel: 'pm',
      payload: { text: 'psst' },
      metadata: { to: 'ben' },
    })
    expect(textIn((await stream.nextOf('message')).data)).toBe('psst')
    // A second stream with the session replaces the first.
    const second = await open('shown:b', proof)
    expect(JSON.parse((await stream.nextOf('closed')).data).code).toBe(4410)
    await second.nextOf('joined')
    const back = await bus.connect({ query: { client_id: 'ben' }, headers: { 'arqonbus-session': session } })
    expect(back.welcome).toMatchObject({ resumed: true, kept_subscriptions: ['shown:a', 'shown:b'] })
    expect(JSON.parse((await second.nextOf('closed')).data).code).toBe(4410)
    await Promise.all([back.close(), carl.close()])
  })

  test('a stream that presents the session of a connected client is refused', async () => {
    const dan = await bus.as('dan', 'busy:a')
    const proof = { ...as('dan'), 'arqonbus-session': dan.welcome.session }
    expect((await call(pathOf('busy', 'a'), { headers: proof })).body.error.code).toBe('client_id_in_use')
    expect((await call(pathOf('busy', 'a'), { headers: { ...proof, 'arqonbus-session': 'made-up' } })).status).toBe(401)
    expect(await dan.publish({ room: 'busy', channel: 'a' })).toMatchObject({ recipients: 1 })
    await dan.close()
  })

  test('a client can connect without a session under an id that only a stream claims', async () => {
    await say('named', 'a', 'x')
    const stream = await open('named:a', as('eve'))
    await stream.nextOf('joined')
    const fred = await bus.as('fred')
    const unknown = fred.publish({ type: 'private', room: 'named', channel: 'pm', metadata: { to: 'eve' } })
    await expect(unknown).rejects.toThrow(/client does not exist/i)
    const eve = await bus.as('eve')
    expect(JSON.parse((await stream.nextOf('closed')).data).code).toBe(4410)
    expect(
      await fred.publish({ type: 'private', room: 'named', channel: 'pm', metadata: { to: 'eve' } }),
    ).toMatchObject({
      recipients: expect.any(Number),
    })
    await Promise.all([eve.close(), fred.close()])
  })
})

test('requests that only read change nothing, by any method that a browser sends by itself', async () => {
  const before = await Promise.all(['rooms', 'channels', 'sessions_kept'].map((name) => bus.metric(`arqonbus_${name}`)))
  const paths = [
    messagesOf('nowhere', 'a'),
    '/rooms/nowhere/channels/a',
    '/channels?room=nowhere',
    '/clients?channel=nowhere:a',
    '/status',
  ]
  for (const path of paths)
    for (const method of ['GET', 'HEAD', 'OPTIONS']) expect((await call(path, { method })).status).toBeLessThan(500)
  for (const method of ['HEAD', 'OPTIONS']) await call(pathOf('nowhere', 'a'), { method })
  const after = await Promise.all(['rooms', 'channels', 'sessions_kept'].map((name) => bus.metric(`arqonbus_${name}`)))
  expect(after).toEqual(before)
})
