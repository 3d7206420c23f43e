/** Private channels under grants: who learns that there is one, and who may enter it. */
import { describe, expect, test } from 'bun:test'
import { refusal, startBus, type TestClient } from '@arqonbus/testing'
import { refused, run } from '../support/ask.ts'

const adminKey = 'correct-horse-battery-staple'
const reading = ['join', 'publish', 'history', 'presence']
/** A service may create channels, and an agent may do all else. */
const rules = [
  { client_type: 'service', permissions: { '*:*': [...reading, 'create'] } },
  { client_type: 'ai-agent', permissions: { '*:*': [...reading, 'status'] } },
]
const bus = await startBus({ adminKey, permissions: { rules }, rateLimit: null, commandRate: null })
const admin = await bus.connect({ query: { client_id: 'admin' }, headers: { authorization: `Bearer ${adminKey}` } })
const of =
  (type: string) =>
  (id: string, ...join: string[]) =>
    bus.connect({ query: { client_id: id, client_type: type, join } })
const [service, agent] = [of('service'), of('ai-agent')]
const owner = await service('owner')

const event = (client: TestClient, address: string, text: string) => {
  const [room, channel] = address.split(':')
  return client.publish({ type: 'event', room: room!, channel: channel!, payload: { text } })
}
const texts = async (client: TestClient) => (await client.messages()).map(({ payload }) => payload.text)
const create = (channel: string, ...members: string[]) =>
  run(owner, 'create_channel', { channel, type: 'private', metadata: { members } })

/** Every way to a channel, and what it is refused with: the code, and what the error says beside the name. */
async function refusalsOf(client: TestClient, channel: string) {
  const commands = [
    ['join_channel', {}],
    ['join_channel', { type: 'private' }],
    ['history', {}],
    ['channel_info', {}],
    ['list_clients', {}],
  ] as const
  const found: object[] = []
  for (const [name, more] of commands) found.push(await refused(client, name, { channel, ...more }))
  found.push(await refusal(event(client, channel, 'x')))
  return JSON.parse(JSON.stringify(found).replaceAll(channel, 'CHANNEL')) as { code: string }[]
}

describe('a private channel that one may not enter', () => {
  test('answers as one that does not exist', async () => {
    await create('lab:den')
    const client = await agent('stranger')
    const hidden = await refusalsOf(client, 'lab:den')
    expect(hidden).toEqual(await refusalsOf(client, 'lab:none'))
    expect(new Set(hidden.map(({ code }) => code))).toEqual(new Set(['channel_not_found']))
  })

  test('is forbidden to those who may create a channel of its name', async () => {
    await create('lab:known')
    const client = await service('creator')
    const codes = (await refusalsOf(client, 'lab:known')).map(({ code }) => code)
    expect(new Set(codes)).toEqual(new Set(['forbidden']))
    expect(await refused(client, 'create_channel', { channel: 'lab:known' })).toMatchObject({ code: 'channel_exists' })
  })

  test('is in no list and in no count', async () => {
    await run(owner, 'create_channel', { channel: 'quiet:open' })
    const client = await agent('counter')
    const before = [(await run(client, 'list_rooms', { room: 'quiet' })).rooms, (await run(client, 'status')).totals]
    await create('quiet:den', 'insider')
    const insider = await agent('insider', 'quiet:den')
    const after = [(await run(client, 'list_rooms', { room: 'quiet' })).rooms, (await run(client, 'status')).totals]
    expect(after).toEqual(before)
    expect((await run(client, 'list_clients', { room: 'quiet' })).clients).toEqual([])
    expect((await run(insider, 'list_rooms', { room: 'quiet' })).rooms[0]).toMatchObject({
      channels: ['open', 'den'],
      channel_count: 2,
      participant_count: 1,
    })
  })

  test('says nothing in a join of its room with a position of it', async () => {
    await create('dark:den')
    await run(owner, 'create_channel', { channel: 'dark:open' })
    const { position } = await event(owner, 'dark:den', 'x')
    const client = await agent('guesser')
    const heads = async (name: string) => {
      const joined = await client.command('join_channel', { channel: 'dark:*', since: { [name]: position! } })
      return JSON.stringify((joined as { channels: object[] }).channels).replaceAll(name, 'NAME')
    }
    expect(await heads('den')).toBe(await heads('nun'))
  })
})

describe('members', () => {
  test('an invited client enters, and is delivered the channel in a room that it has joined', async () => {
    await create('club:a')
    const client = await agent('guest', 'club:*')
    await event(owner, 'club:a', 'before')
    expect(await run(owner, 'invite', { channel: 'club:a', client_id: 'guest' })).toEqual({
      channel: 'club:a',
      client_id: 'guest',
      added: true,
    })
    await event(owner, 'club:a', 'by the room')
    expect(await texts(client)).toEqual(['by the room'])
    await client.command('join_channel', { channel: 'club:a' })
    await event(client, 'club:a', 'mine')
    expect(await texts(client)).toEqual(['mine'])
    expect(await run(owner, 'invite', { channel: 'club:a', client_id: 'guest' })).toMatchObject({ added: false })
  })

  test('a removed member is delivered nothing from then on, with a notice, and cannot publish or read', async () => {
    await create('club:b', 'leaver')
    const client = await agent('leaver', 'club:b', 'club:*')
    await event(client, 'club:b', 'mine')
    await client.messages()
    expect(await run(owner, 'remove_member', { channel: 'club:b', client_id: 'leaver' })).toMatchObject({
      removed: true,
    })
    await event(owner, 'club:b', 'without them')
    const notices = (await client.everything()).map(({ channel, type, payload }) => [channel, type, payload])
    expect(notices).toEqual([['b', 'system', { event: 'subscription_ended', reason: 'forbidden' }]])
    expect(new Set((await refusalsOf(client, 'club:b')).map(({ code }) => code))).toEqual(
      new Set(['channel_not_found']),
    )
    expect(await run(owner, 'remove_member', { channel: 'club:b', client_id: 'leaver' })).toMatchObject({
      removed: false,
    })
  })

  test('are changed by the creator and by admins, and by nobody else', async () => {
    await create('club:c', 'member')
    const member = await service('member')
    for (const name of ['invite', 'remove_member'] as const) {
      expect(await refused(member, name, { channel: 'club:c', client_id: 'x' })).toMatchObject({ code: 'forbidden' })
      await run(admin, name, { channel: 'club:c', client_id: 'x' })
    }
  })

  test('the rest of the metadata stays as it was written', async () => {
    const metadata = '{"big":9007199254740993, "members" : ["a"],"last":"members"}'
    const payload = `{"name":"create_channel","parameters":{"channel":"club:d","type":"private","metadata":${metadata}}}`
    const id = 'arq_written'
    owner.raw(
      `{"version":"1.0","id":"${id}","type":"command","room":"arqonbus","channel":"control","from":"owner","timestamp":"2026-11-21T12:00:00Z","payload":${payload}}`,
    )
    expect((await owner.answer(id)).status).toBe('success')
    await run(owner, 'invite', { channel: 'club:d', client_id: 'b' })
    await run(owner, 'create_channel', { channel: 'club:e', type: 'private' })
    await run(owner, 'invite', { channel: 'club:e', client_id: 'b' })
    const shown = async (channel: string) => {
      const asked = owner.send({ type: 'command', payload: { name: 'channel_info', parameters: { channel } } })
      const frame = await owner.next(({ payload: { request_id } }) => request_id === asked)
      return (frame.payload as { result: { channel: { metadata: object } } }).result.channel.metadata
    }
    expect(await shown('club:d')).toMatchObject({ members: ['a', 'b'], last: 'members' })
    expect(await shown('club:e')).toEqual({ members: ['b'] })
  })

  test('are no more than the metadata of a channel holds', async () => {
    const tight = await startBus({ maxMetadataBytes: 40 })
    const maker = await tight.as('maker')
    await run(maker, 'create_channel', { channel: 'club:a', type: 'private' })
    await run(maker, 'invite', { channel: 'club:a', client_id: 'first-member' })
    expect(await refused(maker, 'invite', { channel: 'club:a', client_id: 'second-member' })).toMatchObject({
      code: 'invalid_parameters',
      details: { path: '/parameters/client_id', expected: expect.stringContaining('40 bytes') },
    })
  })
})
