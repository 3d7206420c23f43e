/** No frame from the server is longer than `max_frame_bytes`, for any request (docs/protocol.md#the-envelope). */
import { afterAll, expect, test } from 'bun:test'
import type { CommandName } from '@arqonbus/protocol'
import { startBus, type TestClient, textOf } from '@arqonbus/testing'

const LIMIT = 256 * 1024
const bus = await startBus({ rateLimit: null })
const longest = (text: string, length: number) => text.padEnd(length, 'x')

/** A lone surrogate is one unit of text, and six bytes of JSON. */
const profile = { screen_name: '\ud83d'.repeat(128), avatar: '\ud83d'.repeat(2048), personality: '\ud83d'.repeat(1024) }

/** A thousand clients with the longest ids, all in one channel and in its whole room. */
const CLIENTS = 1000
const crowd: TestClient[] = []
const room = longest('room', 64)
const channel = longest('channel', 64)
for (let at = 0; at < CLIENTS; at += 100) {
  const query = (i: number) => ({ client_id: longest(`client-${i}-`, 128), join: [`${room}:${channel}`, `${room}:*`] })
  crowd.push(...(await Promise.all(Array.from({ length: 100 }, (_, i) => bus.connect({ query: query(at + i) })))))
}
const [ada, bob] = crowd as [TestClient, TestClient, ...TestClient[]]
const MOST = ada.welcome.limits.max_frame_bytes

afterAll(() => Promise.all(crowd.map((client) => client.close())))

/** The length of the reply to a command in bytes. */
async function lengthOf(client: TestClient, name: CommandName, parameters: object = {}): Promise<number> {
  const id = client.send({ type: 'command', payload: { name, parameters } })
  const frame = await client.next((one) => one.payload.request_id === id)
  expect([name, frame.payload.status]).toEqual([name, 'success'])
  return Buffer.byteLength(textOf(frame))
}

/** Joins 1,000 channels with the longest addresses. */
async function joinThousand(client: TestClient): Promise<void> {
  const own = longest('own', 64)
  for (let at = 0; at < client.welcome.limits.max_subscriptions - 4; at += 100) {
    const count = Math.min(100, client.welcome.limits.max_subscriptions - 4 - at)
    await client.command('join_channel', {
      channels: Array.from({ length: count }, (_, i) => ({ channel: `${own}:${longest(`channel-${at + i}-`, 64)}` })),
    })
  }
}

test('a message of the maximum length is delivered and can be read from history', async () => {
  const address = { room: longest('pair', 64), channel }
  await Promise.all([ada, bob].map((client) => client.command('join_channel', address)))
  const head = `{"version":"1.0","id":"arq_1","type":"event","room":"${address.room}","channel":"${channel}","from":"${ada.id}","timestamp":"2026-11-21T12:00:00Z","payload":{"text":"`
  ada.raw(`${head}${'ü'.repeat((LIMIT - head.length - 3) >> 1)}"}}`)
  const frame = await bob.next((one) => one.type === 'event')
  expect(Buffer.byteLength(textOf(frame))).toBeGreaterThan(LIMIT)
  expect(Buffer.byteLength(textOf(frame))).toBeLessThanOrEqual(MOST)
  for (const parameters of [{ limit: 1000 }, { limit: 1000, order: 'desc' }]) {
    const length = await lengthOf(ada, 'history', { ...parameters, ...address })
    expect(length).toBeGreaterThan(LIMIT)
    expect(length).toBeLessThanOrEqual(MOST)
  }
})

test('a page of history ends before the longest frame', async () => {
  for (let i = 0; i < 12; i++)
    await ada.publish({ room: 'many', channel: 'pages', payload: { text: 'x'.repeat(30_000 + i) } })
  expect(await lengthOf(ada, 'history', { channel: 'many:pages', limit: 1000 })).toBeLessThanOrEqual(MOST)
  const { messages, has_more } = await ada.command('history', { channel: 'many:pages', limit: 1000 })
  expect([messages.length, has_more]).toEqual([8, true])
})

test('the reply for a channel with maximum participants and metadata fits in the longest frame', async () => {
  const metadata = { text: 'x'.repeat(16 * 1024 - 20) }
  await ada.command('create_channel', { room, channel: 'full', metadata, type: 'general' })
  await Promise.all(crowd.map((client) => client.command('join_channel', { room, channel: 'full' })))
  for (const name of [channel, 'full']) {
    const length = await lengthOf(ada, 'channel_info', { channel: `${room}:${name}` })
    expect(length).toBeGreaterThan(LIMIT * 0.9)
    expect(length).toBeLessThanOrEqual(MOST)
  }
  const { channel: info } = await ada.command('channel_info', { room, channel: 'full' })
  expect(info.participant_count).toBe(CLIENTS)
})

test('lists of clients with maximum profiles and subscriptions fit in the longest frame', async () => {
  for (const client of crowd.slice(0, 4)) {
    await joinThousand(client)
    expect(await lengthOf(client, 'update_profile', profile)).toBeLessThanOrEqual(MOST)
  }
  for (const name of ['status', 'list_clients', 'list_channels'] as const) {
    expect(await lengthOf(bob, name)).toBeLessThanOrEqual(MOST)
  }
  for (const name of ['list_clients', 'list_channels'] as const) {
    expect(await lengthOf(bob, name, { limit: 1000 })).toBeLessThanOrEqual(MOST)
  }
  // Every client is on a page, however few fit on one.
  let seen = 0
  for (let cursor: string | undefined, more = true; more; more = cursor !== undefined) {
    const page = await bob.command('list_clients', { limit: 1000, ...(cursor && { cursor }) })
    seen += page.clients.length
    cursor = page.cursor
  }
  expect(seen).toBe(CLIENTS)
})

test('the reply to a join with the maximum number of heads fits in the longest frame', async () => {
  const since = Object.fromEntries(
    Array.from({ length: 996 }, (_, i) => [longest(`channel-${i}-`, 64), '9007199254740991-9007199254740991']),
  )
  const joined = crowd.at(-1)!
  expect(await lengthOf(joined, 'join_channel', { room: longest('own', 64), channel: '*', since })).toBeLessThanOrEqual(
    MOST,
  )
  const channels = Array.from({ length: 100 }, () => ({ channel: `${longest('own', 64)}:*` }))
  expect(await lengthOf(joined, 'join_channel', { channels })).toBeLessThanOrEqual(MOST)
})

test('a welcome with maximum contents fits in the longest frame', async () => {
  const other = await startBus({ rateLimit: null })
  const id = longest('client-', 128)
  const first = await other.connect({ query: { client_id: id } })
  await joinThousand(first)
  await first.command('update_profile', profile)
  await first.close()
  const arrive = (query: Record<string, string | string[]>) =>
    other.connect({ query: { client_id: id, ...query }, headers: { 'Arqonbus-Session': first.welcome.session } })
  // `pm` cannot be joined: its refusal is the longest for the shortest address.
  const failing = Array.from({ length: 1100 }, () => 'a:pm')

  const live = await arrive({ resume: 'live', join: failing })
  const kept = live.welcome.subscriptions.length
  expect(live.welcome).toMatchObject({ resumed: true })
  expect(kept).toBeGreaterThan(300)
  expect(Buffer.byteLength(JSON.stringify(live.welcome))).toBeLessThanOrEqual(MOST - 1024)
  await live.close()

  const idle = await arrive({ join: failing })
  expect(idle.welcome).toMatchObject({ resumed: true, subscriptions: [] })
  expect(idle.welcome.kept_subscriptions.length).toBeGreaterThan(300)
  expect(Buffer.byteLength(JSON.stringify(idle.welcome))).toBeLessThanOrEqual(MOST - 1024)
  await idle.close()
})
