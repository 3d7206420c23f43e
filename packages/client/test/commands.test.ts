import { expect, test } from 'bun:test'
import type { CommandName } from '@arqonbus/protocol'
import type { Client } from '../src/index.ts'
import { createFixture } from './support/fixture.ts'

const fixture = createFixture()
const KEY = 'a-key-that-nobody-knows'
const asAdmin = { admin_key: KEY }

async function setUp(): Promise<Client> {
  const { busUrl } = await fixture.bus({ adminKey: KEY })
  return fixture.client({ url: busUrl, clientId: 'ann' })
}

test('ping measures the round trip', async () => {
  expect(await (await setUp()).ping()).toBeGreaterThanOrEqual(0)
})

test('status describes the bus', async () => {
  const ann = await setUp()
  expect(await ann.status()).toMatchObject({
    server: { name: 'arqonbus', status: 'ok' },
    storage: { durability: 'memory' },
    totals: { clients: 1 },
    clients_by_type: { human: 1 },
  })
})

test('a channel is created, described, listed and deleted', async () => {
  const ann = await setUp()
  const { channel } = await ann.createChannel('science:lab', {
    metadata: { topic: 'tests' },
    options: { history_size: 7 },
  })
  expect(channel).toMatchObject({ name: 'lab', room: 'science', type: 'general', metadata: { topic: 'tests' } })
  await expect(ann.createChannel('science:lab')).rejects.toMatchObject({ code: 'channel_exists', status: 409 })
  await ann.join('science:lab')
  expect((await ann.channelInfo('science:lab')).channel).toMatchObject({
    participants: ['ann'],
    options: { history_size: 7 },
  })
  expect((await ann.listRooms({ room: 'science' })).rooms).toMatchObject([{ name: 'science', channels: ['lab'] }])
  const described = (await ann.listCommands()).commands.find(({ name }) => name === 'pause_room')
  expect(described).toMatchObject({ requires_admin: true, channel_scope: 'room' })
  expect((await ann.listChannels({ room: 'science' })).channels.map(({ name }) => name)).toEqual(['lab'])
  expect((await ann.listChannels()).channels.map(({ room }) => room)).toContain('integriguard')
  await expect(ann.deleteChannel('science:lab')).rejects.toMatchObject({ code: 'channel_not_empty' })
  await ann.leave('science:lab')
  expect(await ann.deleteChannel('science:lab')).toEqual({ channel: 'science:lab', deleted: true })
})

test('history is read in both directions', async () => {
  const ann = await setUp()
  const sent = [1, 2, 3].map((n) => ann.publish('science:lab', { n }, { ack: true }))
  const [first] = await Promise.all(sent)
  const numbers = (page: { messages: { payload: object }[] }) =>
    page.messages.map(({ payload }) => Object.values(payload)[0])
  expect(numbers(await ann.history('science:lab'))).toEqual([1, 2, 3])
  const newest = await ann.history('science:lab', { limit: 2, order: 'desc' })
  expect(numbers(newest)).toEqual([3, 2])
  expect(newest.has_more).toBe(true)
  expect(numbers(await ann.history('science:lab', { after: first!.position as string }))).toEqual([2, 3])
})

test('clients are listed and can change their profile', async () => {
  const ann = await setUp()
  expect((await ann.updateProfile({ screen_name: 'Ann', avatar: null })).client.screen_name).toBe('Ann')
  await ann.join('science:lab')
  expect((await ann.listClients({ channel: 'science:lab' })).clients).toMatchObject([
    { client_id: 'ann', screen_name: 'Ann' },
  ])
})

test('an admin pauses a room, resumes it and deletes it', async () => {
  const ann = await setUp()
  await ann.createChannel('science:lab')
  await expect(ann.pauseRoom('science')).rejects.toMatchObject({ code: 'forbidden', status: 403 })
  await expect(ann.pauseRoom('science', { admin_key: 'wrong' })).rejects.toMatchObject({ code: 'forbidden' })
  expect((await ann.pauseRoom('science', asAdmin)).room.state).toBe('paused')
  await expect(ann.publish('science:lab', {}, { ack: true })).rejects.toMatchObject({ code: 'room_paused' })
  expect((await ann.resumeRoom('science', asAdmin)).room.state).toBe('active')
  await expect(ann.deleteRoom('science', asAdmin)).rejects.toMatchObject({ code: 'room_not_empty' })
  await ann.deleteChannel('science:lab')
  expect(await ann.deleteRoom('science', asAdmin)).toEqual({ room: 'science', deleted: true })
  await expect(ann.disconnectClient('nobody', asAdmin)).rejects.toMatchObject({ code: 'client_not_found' })
})

test('every command can be sent by its name, and an unknown one is refused', async () => {
  const ann = await setUp()
  expect(await ann.command('join_channel', { channels: [{ channel: 'science:lab' }] })).toMatchObject({
    results: [{ channel: 'science:lab' }],
  })
  await expect(ann.command('make_coffee' as CommandName)).rejects.toMatchObject({ code: 'unknown_command' })
  await expect(ann.command('history', { limit: 0 })).rejects.toMatchObject({ code: 'invalid_parameters', status: 400 })
})

test('a command without a reply fails after its timeout', async () => {
  const { busUrl } = await fixture.bus()
  const line = await fixture.proxy(busUrl)
  const ann = await fixture.client({ url: line.url, closeTimeoutMs: 10 })
  line.holdReplies(true)
  await expect(ann.command('status', {}, { timeoutMs: 20 })).rejects.toMatchObject({
    code: 'reply_timeout',
    status: 504,
  })
})
