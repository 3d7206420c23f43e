/** To whom the rights of a client id belong where no one has to show a token: to the holder of its session. */
import { describe, expect, test } from 'bun:test'
import { type ConnectOptions, eventually, open, refusal, startBus, type TestClient, testClock } from '@arqonbus/testing'
import { as, caller, messagesOf } from './api/call.ts'

const adminKey = 'k'.repeat(32)
const sessionTtlMs = 60_000
const clock = testClock()
const bus = await startBus({ adminKey, sessionTtlMs }, { clock })
const call = caller(bus.httpUrl)

const returning = (client: TestClient): ConnectOptions => ({
  query: { client_id: client.id },
  headers: { 'arqonbus-session': client.welcome.session },
})
const proofOf = ({ id, welcome }: TestClient) => ({ ...as(id), 'arqonbus-session': welcome.session })

/** A client that made a private channel and an open one, and has gone; its session lives. */
async function gone(id: string): Promise<TestClient> {
  const client = await bus.as(id)
  await client.command('create_channel', { channel: `${id}-room:secret`, type: 'private' })
  await client.command('create_channel', { channel: `${id}-room:open` })
  await client.publish({ room: `${id}-room`, channel: 'secret', payload: { text: 'for me alone' } })
  await client.close()
  return client
}

/** Lets the sessions of those who have gone end. */
async function endSession(id: string): Promise<void> {
  await eventually(async () => {
    clock.advance(sessionTtlMs)
    await (await bus.connect({ query: { client_id: id, session: 'none' } })).close()
  })
}

/** What is refused to whoever has the id of the creator, and is not it. */
const attempts = (room: string): [string, object][] => [
  ['history', { channel: `${room}:secret` }],
  ['channel_info', { channel: `${room}:secret` }],
  ['delete_channel', { channel: `${room}:secret` }],
  ['delete_channel', { channel: `${room}:open` }],
]

describe('while the session of a client that has gone lives', () => {
  test('nobody else acts under its id by HTTP: neither reads, publishes, streams nor deletes', async () => {
    await gone('alice')
    const asAlice = { headers: as('alice') }
    for (const [name, parameters] of attempts('alice-room')) {
      const answer = await call(`/commands/${name}`, { ...asAlice, body: JSON.stringify(parameters) })
      expect([name, answer.status, answer.body.error.code]).toEqual([name, 409, 'client_id_in_use'])
    }
    for (const answer of [
      await call(messagesOf('alice-room', 'secret'), asAlice),
      await call(messagesOf('alice-room', 'open'), { ...asAlice, body: '{"payload":{}}' }),
      await call('/rooms/alice-room/channels/secret/stream', asAlice),
    ])
      expect([answer.status, answer.body.error.code]).toEqual([409, 'client_id_in_use'])
  })

  test('its holder acts by HTTP with the session, connected or not', async () => {
    const ann = await gone('ann')
    const read = await call(messagesOf('ann-room', 'secret'), { headers: proofOf(ann) })
    expect([read.status, read.body.messages.length]).toEqual([200, 1])
    const made = { headers: proofOf(ann), body: '{"channel":"ann-room:open"}' }
    expect((await call('/commands/delete_channel', made)).body).toMatchObject({ deleted: true })
  })

  test('a connection under its id without the session is refused, and hears when to come back', async () => {
    await gone('alan')
    const stranger = open(bus.busUrl, { query: { client_id: 'alan' } })
    const [reply, end] = await Promise.all([stranger.answer(null), stranger.closed])
    expect([reply.error?.code, end.code]).toEqual(['client_id_in_use', 4409])
    expect(reply.error?.retry_after_ms).toBe(sessionTtlMs)
  })
})

describe('once that session has ended', () => {
  test('whoever takes the id has no right to what the earlier client created', async () => {
    await gone('bea')
    await endSession('bea')
    const heir = await bus.as('bea')
    for (const [name, parameters] of attempts('bea-room'))
      expect(await refusal(heir.command(name as 'history', parameters))).toMatchObject({ code: 'forbidden' })
    expect(await refusal(heir.command('join_channel', { channel: 'bea-room:secret' }))).toMatchObject({
      code: 'forbidden',
    })
    const { channels } = await heir.command('list_channels', { room: 'bea-room' })
    expect(channels.map(({ name }) => name)).toEqual(['open'])
    const wide = (await heir.command('join_channel', { channel: 'bea-room:*' })) as { channels: { channel: string }[] }
    expect(wide.channels.map(({ channel }) => channel)).toEqual(['bea-room:open'])
    await call(messagesOf('bea-room', 'secret'), {
      body: '{"payload":{}}',
      headers: { authorization: `Bearer ${adminKey}` },
    })
    await heir.command('ping')
    expect(await heir.everything()).toEqual([])
  })

  test('a caller by HTTP has none either, and hears that it needs the session', async () => {
    await gone('ben')
    await endSession('ben')
    for (const [name, parameters] of attempts('ben-room')) {
      const answer = await call(`/commands/${name}`, { headers: as('ben'), body: JSON.stringify(parameters) })
      expect([name, answer.status, answer.body.error.code]).toEqual([name, 403, 'forbidden'])
      expect(answer.body.error.details).toMatchObject({ path: '/headers/arqonbus-session' })
    }
  })

  test('the earlier client has them again with the secret of its session, however many sessions ago it was', async () => {
    let client = await gone('cleo')
    for (let n = 1; n <= 3; n++) {
      await endSession('cleo')
      client = await bus.connect(returning(client))
      expect(client.welcome.resumed).toBeFalse()
      const { messages } = await client.command('history', { channel: 'cleo-room:secret' })
      expect(messages).toHaveLength(1)
      await client.close()
    }
    await endSession('cleo')
    client = await bus.connect(returning(client))
    expect(await client.command('delete_channel', { channel: 'cleo-room:open' })).toMatchObject({ deleted: true })
  })
})

test('what a caller by HTTP creates without a session belongs to admins, also when it connects under its id', async () => {
  const create = { headers: as('dan'), body: '{"channel":"dan-room:open"}' }
  expect((await call('/commands/create_channel', create)).body.channel).toMatchObject({ created_by: 'dan' })
  const dan = await bus.as('dan')
  expect(await refusal(dan.command('delete_channel', { channel: 'dan-room:open' }))).toMatchObject({
    code: 'forbidden',
  })
  const key = { channel: 'dan-room:open', admin_key: adminKey }
  expect(await dan.command('delete_channel', key)).toMatchObject({ deleted: true })
})

test('a member of a private channel enters it with its session, and nobody by its id alone', async () => {
  const [host, eli] = await Promise.all([bus.as('host'), bus.as('eli')])
  const members = { channel: 'club:a', type: 'private', metadata: { members: ['eli', 'fay'] } } as const
  await host.command('create_channel', members)
  expect((await call(messagesOf('club', 'a'), { headers: proofOf(eli) })).status).toBe(200)
  // Nobody has been here as fay.
  expect((await call(messagesOf('club', 'a'), { headers: as('fay') })).status).toBe(403)
  expect((await call('/rooms/club/channels/a/stream', { headers: as('fay') })).status).toBe(403)
})
