import { expect, test } from 'bun:test'
import type { Config } from '@arqonbus/server'
import type { ClientOptions } from '../src/index.ts'
import { collect, next, textOf } from './support/collect.ts'
import { createFixture } from './support/fixture.ts'

const fixture = createFixture()

/**
 * A bus, `ann` on a connection that the test can cut, with the messages she receives, and `ben` on one that is never
 * cut.
 */
async function setUp(options: Partial<ClientOptions> = {}, config: Partial<Config> = {}) {
  const { busUrl } = await fixture.bus(config)
  const proxy = await fixture.proxy(busUrl)
  const ann = await fixture.client({ url: proxy.url, clientId: 'ann', ...options })
  const ben = await fixture.client({ url: busUrl, clientId: 'ben', maxWaiting: 5000 })
  const say = (address: string, ...texts: string[]) =>
    Promise.all(texts.map((text) => ben.publish(address, { text }, { ack: true })))
  /** Cuts Ann's connection, runs `meanwhile`, and then accepts her reconnect. */
  const away = async (meanwhile: () => Promise<unknown> = async () => {}) => {
    const [lost, back] = [next(ann, 'disconnected'), next(ann, 'connected')]
    proxy.accept(false)
    proxy.cut()
    await lost
    await meanwhile()
    proxy.accept(true)
    return back
  }
  return { busUrl, proxy, ann, ben, say, away, heard: collect(ann, 'message', textOf), gaps: collect(ann, 'gap') }
}

test('messages published during an absence arrive after the reconnect, once and in order', async () => {
  const { ann, say, away, heard, gaps } = await setUp({ join: ['science:explore', 'chat:public'] })
  await say('science:explore', '1', '2')
  await heard.count(2)
  const welcome = await away(() => say('science:explore', '3', '4', '5'))
  expect(welcome).toMatchObject({ resumed: true, client: { client_id: 'ann' } })
  await heard.count(5)
  await say('science:explore', '6')
  await say('chat:public', '7')
  expect(await heard.count(7)).toEqual(['1', '2', '3', '4', '5', '6', '7'])
  expect(gaps.all).toEqual([])
  expect(ann.subscriptions).toEqual(['science:explore', 'chat:public'])
})

test('messages arrive after a reconnect even if there were none before', async () => {
  const { say, away, heard, gaps } = await setUp({ join: ['science:explore'] })
  await away(() => say('science:explore', '1', '2'))
  expect(await heard.count(2)).toEqual(['1', '2'])
  expect(gaps.all).toEqual([])
})

test('messages arrive after each of many reconnects', async () => {
  const { say, away, heard, gaps } = await setUp({ join: ['science:explore'] })
  for (let round = 0; round < 10; round++) await away(() => say('science:explore', `${round}`))
  expect(await heard.count(10)).toEqual(['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'])
  expect(gaps.all).toEqual([])
})

test('a whole room recovers: its channels, a channel created meanwhile and its broadcast', async () => {
  const { say, away, heard, gaps } = await setUp({ join: ['science:*'] })
  await say('science:explore', '1')
  await say('science:*', 'to all')
  await heard.count(2)
  await away(async () => {
    await say('science:explore', '2', '3')
    await say('science:new', 'born')
    await say('science:*', 'to all again')
  })
  await heard.count(6)
  await say('science:explore', '4')
  await heard.count(7)
  expect(heard.all.filter((text) => String(text).length === 1)).toEqual(['1', '2', '3', '4'])
  expect(heard.all.toSorted()).toEqual(['1', '2', '3', '4', 'born', 'to all', 'to all again'])
  expect(gaps.all).toEqual([])
})

test('the broadcast of a room recovers once for a client in two of its channels', async () => {
  const { say, away, heard, gaps } = await setUp({ join: ['science:explore', 'science:general'] })
  await away(async () => {
    await say('science:*', 'to all')
    await say('science:general', 'general')
  })
  await heard.count(2)
  await say('science:*', 'to all again')
  await heard.count(3)
  expect(heard.all.toSorted()).toEqual(['general', 'to all', 'to all again'])
  expect(gaps.all).toEqual([])
})

test('a gap notice for expired messages comes first, then what is kept, then live messages', async () => {
  const { ann, say, away, heard, gaps } = await setUp({ join: ['science:explore'] }, { historySize: 2 })
  await say('science:explore', '1')
  await heard.count(1)
  const order: string[] = []
  ann.on('gap', () => order.push('gap'))
  ann.on('message', ({ payload }) => order.push(String(payload.text)))
  await away(() => say('science:explore', '2', '3', '4', '5'))
  const [gap] = await gaps.count(1)
  expect(gap).toMatchObject({ address: 'science:explore', reason: 'trimmed' })
  expect(gap?.after).toMatch(/-1$/)
  expect(gap?.next).toMatch(/-3$/)
  await say('science:explore', '6')
  await heard.count(4)
  expect(order).toEqual(['gap', '4', '5', '6'])
})

test('a history that lacks only messages that the application already had is no gap', async () => {
  const { say, away, heard, gaps } = await setUp({ join: ['science:explore'] }, { historySize: 2 })
  await say('science:explore', '1')
  await heard.count(1)
  await away(() => say('science:explore', '2', '3'))
  expect(await heard.count(3)).toEqual(['1', '2', '3'])
  expect(gaps.all).toEqual([])
})

test('a channel recreated during an absence is a gap only for a client that lacked part of it', async () => {
  const { ann, ben, say, away, heard, gaps } = await setUp()
  for (const channel of ['science:complete', 'science:lacking']) {
    await ben.createChannel(channel)
    await ann.join(channel)
  }
  await say('science:complete', '1')
  await say('science:lacking', '2')
  await heard.count(2)
  await away(async () => {
    await say('science:lacking', 'never heard')
    for (const channel of ['science:complete', 'science:lacking']) {
      await ben.deleteChannel(channel)
      await say(channel, `${channel} again`)
    }
  })
  expect((await heard.count(4)).slice(2).toSorted()).toEqual(['science:complete again', 'science:lacking again'])
  expect(gaps.all).toMatchObject([{ address: 'science:lacking', reason: 'reset' }])
  await say('science:complete', '3')
  expect((await heard.count(5)).at(-1)).toBe('3')
  expect(gaps.all).toHaveLength(1)
})

test('a restarted server has a new log: the gap is reported, and the subscription continues', async () => {
  const first = await fixture.bus()
  const ann = await fixture.client({ url: first.busUrl, clientId: 'ann', join: ['science:explore'] })
  await ann.publish('science:explore', { text: '1' }, { ack: true })
  const [lost, gaps] = [next(ann, 'disconnected'), collect(ann, 'gap', ({ address, reason }) => `${address} ${reason}`)]
  const notice = next(ann, 'system')
  await first.drain('restart')
  expect(await notice).toMatchObject({ payload: { event: 'shutdown' } })
  expect(await lost).toMatchObject({ code: 1012 })
  await fixture.bus({ port: Number(new URL(first.busUrl).port) })
  expect(await gaps.count(3)).toEqual(['arqonbus:inbox reset', 'science:explore reset', 'science:* reset'])
  const heard = next(ann, 'message')
  await ann.publish('science:explore', { text: '2' }, { ack: true })
  expect(textOf(await heard)).toBe('2')
})

test('after a restart every message published before the client returned arrives', async () => {
  const first = await fixture.bus()
  const proxy = await fixture.proxy(first.busUrl)
  const ann = await fixture.client({ url: proxy.url, clientId: 'ann', join: ['science:explore', 'lab:*'] })
  const [heard, gaps] = [collect(ann, 'message', textOf), collect(ann, 'gap', ({ address }) => address)]
  const said = ['1', 'in the lab', 'to all']
  const sayAll = async (url: string, id: string) => {
    const ben = await fixture.client({ url, clientId: id })
    const [explore, lab, all] = said as [string, string, string]
    await ben.publish('science:explore', { text: explore }, { ack: true })
    await ben.publish('lab:desk', { text: lab }, { ack: true })
    await ben.publish('lab:*', { text: all }, { ack: true })
  }
  await sayAll(first.busUrl, 'ben')
  await heard.count(3)
  const lost = next(ann, 'disconnected')
  proxy.accept(false)
  proxy.cut()
  await lost
  await first.drain('restart')
  await fixture.bus({ port: Number(new URL(first.busUrl).port) })
  // All other clients reconnect earlier, and continue to publish.
  for (const id of ['ben', 'cyd', 'dan']) await sayAll(first.busUrl, id)
  proxy.accept(true)
  await heard.count(12)
  expect(heard.all.toSorted()).toEqual([...said, ...said, ...said, ...said].toSorted())
  expect(gaps.all.toSorted()).toEqual(['arqonbus:inbox', 'lab:*', 'lab:desk', 'science:*', 'science:explore'])
})

test('a long absence leaves no gap in a quiet channel, its room or the inbox', async () => {
  const { ann, ben, away, say, heard, gaps } = await setUp(
    { join: ['quiet:place', 'quiet:*'] },
    { channelIdleMs: 1, sessionTtlMs: 1, historyTtlMs: 1, commandRate: null },
  )
  await say('quiet:spoken', 'before')
  await heard.count(1)
  const welcome = await away(async () => {
    while ((await ben.listChannels()).channels.some(({ room }) => room === 'quiet')) await ben.ping()
  })
  expect(welcome.resumed).toBe(false)
  // Processed after its joins.
  await ann.ping()
  await say('quiet:place', 'after')
  await ben.private('ann', { text: 'private' }, { ack: true })
  expect((await heard.count(3)).slice(1).toSorted()).toEqual(['after', 'private'])
  expect(gaps.all).toEqual([])
  expect(ann.state).toBe('open')
})

test('a publish awaiting its acknowledgement is sent again after a cut and stored once', async () => {
  const { proxy, ann, ben } = await setUp()
  await ben.join('science:explore')
  const heard = collect(ben, 'message', textOf)
  proxy.holdReplies(true)
  const texts = Array.from({ length: 20 }, (_, i) => `${i}`)
  const acknowledged = texts.map((text) => ann.publish('science:explore', { text }, { ack: true }))
  await heard.count(20)
  const back = next(ann, 'connected')
  proxy.holdReplies(false)
  proxy.cut()
  await back
  const results = await Promise.all(acknowledged)
  expect(results.map(({ duplicate }) => duplicate)).toEqual(texts.map(() => true))
  await ann.publish('science:explore', { text: 'last' }, { ack: true })
  expect(await heard.count(21)).toEqual([...texts, 'last'])
})

test('messages published while disconnected wait for the connection, in order', async () => {
  const { ann, ben, away } = await setUp()
  await ben.join('science:explore')
  const heard = collect(ben, 'message', textOf)
  const refused = next(ann, 'refused')
  let acknowledged: Promise<unknown[]> | undefined
  await away(async () => {
    const texts = ['1', '2', '3']
    acknowledged = Promise.all(texts.map((text) => ann.publish('science:explore', { text }, { ack: true })))
    ann.publish('science:explore', { text: 'without ack' })
  })
  expect(await refused).toMatchObject({ code: 'not_connected' })
  expect(await acknowledged).toHaveLength(3)
  expect(await heard.count(3)).toEqual(['1', '2', '3'])
})

test('a command in flight is repeated after a reconnect if harmless, and fails otherwise', async () => {
  const { proxy, ann, ben } = await setUp()
  proxy.holdReplies(true)
  const asked = ann.status()
  const joined = ann.join('science:explore')
  const created = ann.createChannel('science:lab').catch((error: unknown) => error)
  // Ben sees the channel of the last command: all three commands have reached the bus.
  while ((await ben.listChannels()).channels.every(({ name }) => name !== 'lab')) {}
  proxy.holdReplies(false)
  proxy.cut()
  expect(await created).toMatchObject({ code: 'connection_lost', status: 503 })
  expect(await asked).toMatchObject({ server: { name: 'arqonbus' } })
  expect(await joined).toMatchObject({ channel: 'science:explore' })
  expect(ann.subscriptions).toEqual(['science:explore'])
})

test('private messages sent during an absence arrive afterwards', async () => {
  const { ann, ben, away, heard, gaps } = await setUp()
  await ben.private('ann', { text: '1' }, { ack: true })
  await heard.count(1)
  await away(async () => {
    await ben.private('ann', { text: '2' }, { ack: true })
    await ben.private('ann', { text: '3' }, { ack: true })
  })
  await heard.count(3)
  await ben.private('ann', { text: '4' }, { ack: true })
  expect(await heard.count(4)).toEqual(['1', '2', '3', '4'])
  expect(gaps.all).toEqual([])
  expect(ann.state).toBe('open')
})

test('the first private message ever arrives after an absence', async () => {
  const { ben, away, heard } = await setUp()
  await away(() => ben.private('ann', { text: '1' }, { ack: true }))
  await ben.private('ann', { text: '2' }, { ack: true })
  expect(await heard.count(2)).toEqual(['1', '2'])
})

test('private messages of an earlier session are not delivered to a client that takes its id', async () => {
  const { busUrl } = await fixture.bus({ sessionTtlMs: 0 })
  const ben = await fixture.client({ url: busUrl, clientId: 'ben' })
  const ann = await fixture.client({ url: busUrl, clientId: 'ann' })
  const [first] = [
    await ben.private('ann', { text: 'secret' }, { ack: true }),
    await ben.private('ann', {}, { ack: true }),
  ]
  const start = (await ann.history('arqonbus:inbox')).first
  await ann.close()
  const other = await fixture.client({ url: busUrl, clientId: 'ann' })
  const heard = collect(other, 'message', textOf)
  for (const since of [start, first.position as string, '1-0']) {
    expect(await other.join('arqonbus:inbox', { since })).toMatchObject({ recovered: false })
  }
  await ben.private('ann', { text: 'for the new one' }, { ack: true })
  expect(await heard.count(1)).toEqual(['for the new one'])
})

test('with echo off the own messages are no gap after a cut and are not delivered', async () => {
  const { ann, say, away, heard, gaps } = await setUp({ echo: false, join: ['science:explore'] })
  await ann.publish('science:explore', { text: 'own 1' }, { ack: true })
  await say('science:explore', '1')
  await heard.count(1)
  let waiting: Promise<unknown> | undefined
  await away(async () => {
    waiting = ann.publish('science:explore', { text: 'own 2' }, { ack: true })
    await say('science:explore', '2')
  })
  await waiting
  await say('science:explore', '3')
  expect(await heard.count(3)).toEqual(['1', '2', '3'])
  expect(gaps.all).toEqual([])
})

test('with echo off an acknowledgement lost in a cut is no gap', async () => {
  const { proxy, ann, ben, say, heard, gaps } = await setUp({ echo: false, join: ['science:explore'] })
  await ben.join('science:explore')
  const benHears = collect(ben, 'message')
  proxy.holdReplies(true)
  const own = ann.publish('science:explore', { text: 'own' }, { ack: true })
  await benHears.count(1)
  await say('science:explore', '1')
  const back = next(ann, 'connected')
  proxy.holdReplies(false)
  proxy.cut()
  await back
  expect(await own).toMatchObject({ duplicate: true })
  await say('science:explore', '2')
  expect(await heard.count(2)).toEqual(['1', '2'])
  expect(gaps.all).toEqual([])
})

test('an explicit recovery delivers again what the application asks for', async () => {
  const { ann, say, heard, gaps } = await setUp({ join: ['science:explore'] })
  const [first] = await say('science:explore', '1', '2', '3')
  await heard.count(3)
  const result = await ann.join('science:explore', { since: first!.position as string, since_id: first!.id })
  expect(result).toMatchObject({ recovered: true, missed: 2 })
  await say('science:explore', '4')
  expect(await heard.count(6)).toEqual(['1', '2', '3', '2', '3', '4'])
  expect(gaps.all).toEqual([])
})

test('a subscription that cannot be resumed is reported and given up', async () => {
  const { ann, ben, away } = await setUp()
  await ben.createChannel('science:secret', { type: 'private', metadata: { members: ['ann'] } })
  await ann.join('science:secret')
  const left = next(ann, 'left')
  await away(async () => {
    await ben.deleteChannel('science:secret')
    await ben.createChannel('science:secret', { type: 'private' })
  })
  expect(await left).toMatchObject({ address: 'science:secret', error: { code: 'forbidden' } })
  expect(ann.subscriptions).toEqual([])
})

test('a deleted room ends the subscription with `left` and ends its iterators', async () => {
  const { busUrl } = await fixture.bus({ adminKey: 'the-key' })
  const admin = await fixture.client({ url: busUrl, clientId: 'admin', token: 'the-key' })
  await admin.createChannel('made:desk')
  const ann = await fixture.client({ url: busUrl, clientId: 'ann', join: ['made:*', 'science:explore'] })
  const [left, notices] = [next(ann, 'left'), collect(ann, 'system', ({ payload }) => payload.event)]
  const texts: unknown[] = []
  const loop = (async () => {
    for await (const message of ann.messages('made:*')) texts.push(textOf(message))
  })().catch((error: unknown) => error)
  await admin.publish('made:desk', { text: '1' }, { ack: true })
  await admin.deleteChannel('made:desk')
  await admin.command('delete_room', { room: 'made' })
  expect(await left).toMatchObject({ address: 'made:*', error: { code: 'room_not_found' } })
  expect(await loop).toMatchObject({ code: 'room_not_found', message: 'The room was deleted.' })
  expect([texts, notices.all, ann.subscriptions]).toEqual([
    ['1'],
    ['channel_deleted', 'subscription_ended'],
    ['science:explore'],
  ])
  // A room of that name is another one; it is joined like any other.
  const heard = collect(ann, 'message', textOf)
  await admin.publish('made:desk', { text: 'unheard' }, { ack: true })
  await ann.join('made:*')
  await admin.publish('made:desk', { text: 'heard' }, { ack: true })
  expect(await heard.count(1)).toEqual(['heard'])
})

test('a channel recreated under a room-wide subscription is no gap, now or after a cut', async () => {
  const { ann, ben, say, away, heard, gaps } = await setUp({ join: ['made:*'] })
  for (const text of ['1', '2', '3']) {
    await ben.createChannel('made:desk')
    await say('made:desk', text)
    await heard.count(Number(text))
    if (text !== '3') await ben.deleteChannel('made:desk')
  }
  await away(() => say('made:desk', '4'))
  expect(await heard.count(4)).toEqual(['1', '2', '3', '4'])
  expect(gaps.all).toEqual([])
  expect(ann.subscriptions).toEqual(['made:*'])
})

test('a private channel unknown to a restarted server is left, and nothing is sent to an open one of its name', async () => {
  const first = await fixture.bus()
  const proxy = await fixture.proxy(first.busUrl)
  const ann = await fixture.client({ url: proxy.url, clientId: 'ann' })
  await ann.createChannel('den:deep', { type: 'private' })
  expect(await ann.join('den:deep')).toMatchObject({ type: 'private' })
  const [lost, left] = [next(ann, 'disconnected'), next(ann, 'left')]
  proxy.accept(false)
  proxy.cut()
  await lost
  await first.drain('restart')
  const again = await fixture.bus({ port: Number(new URL(first.busUrl).port) })
  const secret = ann.publish('den:deep', { text: 'secret' }, { ack: true }).catch((error: unknown) => error)
  proxy.accept(true)
  expect(await left).toMatchObject({ address: 'den:deep', error: { code: 'room_not_found' } })
  expect(await secret).toMatchObject({ code: 'room_not_found' })
  const eve = await fixture.client({ url: again.busUrl, clientId: 'eve' })
  expect((await eve.listChannels({ room: 'den' }).catch(({ code }) => ({ channels: code }))).channels).toBe(
    'room_not_found',
  )
})

test('messages to a private channel published while disconnected are sent once it is joined again', async () => {
  const { ann, ben, away, heard } = await setUp()
  await ben.createChannel('den:deep', { type: 'private', metadata: { members: ['ann'] } })
  await ann.join('den:deep')
  const refused = collect(ann, 'refused')
  let said: Promise<unknown> | undefined
  await away(async () => {
    said = Promise.all(['1', '2', '3'].map((text) => ann.publish('den:deep', { text }, { ack: true })))
  })
  await said
  expect(await heard.count(3)).toEqual(['1', '2', '3'])
  expect(refused.all).toEqual([])
})

test('a private channel recreated as an open one is left and can be joined again', async () => {
  const { ann, ben, away } = await setUp()
  await ben.createChannel('den:deep', { type: 'private', metadata: { members: ['ann'] } })
  await ann.join('den:deep')
  const left = next(ann, 'left')
  await away(async () => {
    await ben.deleteChannel('den:deep')
    await ben.createChannel('den:deep')
  })
  expect(await left).toMatchObject({ address: 'den:deep', error: { code: 'channel_type_mismatch' } })
  expect(await ann.join('den:deep')).toMatchObject({ type: 'general' })
})

test('a deleted channel of a subscribed room is a gap if messages were missed, and is forgotten', async () => {
  const { ben, say, away, heard, gaps } = await setUp({ join: ['made:*'] })
  for (const channel of ['made:had', 'made:lacked']) {
    await ben.createChannel(channel)
    await say(channel, channel)
  }
  await heard.count(2)
  await away(async () => {
    await say('made:lacked', 'never heard')
    for (const channel of ['made:had', 'made:lacked']) await ben.deleteChannel(channel)
    await ben.createChannel('made:other')
  })
  const [gap] = await gaps.count(1)
  expect(gap).toMatchObject({ address: 'made:lacked', reason: 'reset' })
  for (const channel of ['made:had', 'made:lacked']) await say(channel, `${channel} again`)
  expect((await heard.count(4)).slice(2)).toEqual(['made:had again', 'made:lacked again'])
  await away(() => say('made:had', 'more'))
  expect((await heard.count(5)).at(-1)).toBe('more')
  expect(gaps.all).toHaveLength(1)
})

test('a room with too many channels to recover is a gap in each channel that was received', async () => {
  const { ben, say, away, heard, gaps } = await setUp({ join: ['vast:*'] }, { rateLimit: null, commandRate: null })
  const names = Array.from({ length: 1001 }, (_, i) => `vast:c${i}`)
  await Promise.all(names.map((name) => say(name, name)))
  await heard.count(1001)
  await away(() => say('vast:c1000', 'missed'))
  await gaps.count(1001)
  expect(new Set(gaps.all.map(({ address, reason }) => `${address} ${reason}`))).toEqual(
    new Set(names.map((name) => `${name} too_far`)),
  )
  await say('vast:c1000', 'live')
  expect((await heard.count(1002)).at(-1)).toBe('live')
  expect((await ben.status()).server.name).toBe('arqonbus')
})

test('leaving a channel while disconnected takes effect', async () => {
  const { ann, say, away, heard } = await setUp({ join: ['science:explore', 'science:general'] })
  let left: Promise<boolean> | undefined
  await away(async () => {
    left = ann.leave('science:explore')
    await say('science:explore', 'missed')
    await say('science:general', 'general')
  })
  await left
  expect(await heard.count(1)).toEqual(['general'])
  expect(ann.subscriptions).toEqual(['science:general'])
})

test('a dead connection is detected by the heartbeat and replaced', async () => {
  const { proxy, ann, say, heard, gaps } = await setUp({
    heartbeatMs: 20,
    closeTimeoutMs: 10,
    join: ['science:explore'],
  })
  const [lost, back] = [next(ann, 'disconnected'), next(ann, 'connected')]
  proxy.holdReplies(true)
  await say('science:explore', '1')
  expect(await lost).toMatchObject({ code: 1006, reason: 'heartbeat lost' })
  proxy.holdReplies(false)
  await back
  expect(await heard.count(1)).toEqual(['1'])
  expect(gaps.all).toEqual([])
})

test('a hundred and one subscriptions are resumed in two batches', async () => {
  const { ann, away, heard, say } = await setUp()
  const addresses = Array.from({ length: 101 }, (_, i) => `science:c${i}`)
  await Promise.all(addresses.map((address) => ann.join(address)))
  await away(() => Promise.all(addresses.map((address) => say(address, address))))
  expect((await heard.count(101)).toSorted()).toEqual(addresses.toSorted())
})

test('many messages arrive after a long absence without gaps or duplicates', async () => {
  const { ann, say, away, heard, gaps } = await setUp(
    { join: ['science:explore'] },
    { historySize: 5000, rateLimit: null },
  )
  const texts = Array.from({ length: 3000 }, (_, i) => `${i}`)
  await away(() => say('science:explore', ...texts))
  const more = say('science:explore', 'a', 'b', 'c')
  expect(await heard.count(3003)).toEqual([...texts, 'a', 'b', 'c'])
  await more
  expect(gaps.all).toEqual([])
  expect(ann.state).toBe('open')
})

/** A small random number generator, repeatable by its seed (mulberry32). */
function seeded(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
    t ^= t + Math.imul(t ^ (t >>> 7), 61 | t)
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

for (const seed of [1, 2, 3, 4]) {
  test(`two clients that are cut again and again lose nothing, duplicate nothing and keep the order (seed ${seed})`, async () => {
    const random = seeded(seed)
    const { busUrl } = await fixture.bus({ historySize: 5000 })
    const lines = [await fixture.proxy(busUrl), await fixture.proxy(busUrl)]
    const join = ['science:explore', 'science:*']
    const [ann, ben] = [
      await fixture.client({ url: lines[0]!.url, clientId: 'ann', join, echo: seed % 2 === 0, random }),
      await fixture.client({ url: lines[1]!.url, clientId: 'ben', join, random }),
    ]
    const gaps = [collect(ann, 'gap'), collect(ben, 'gap')]
    const heard = new Map([ann, ben].map((client) => [client, new Map<string, number[]>()]))
    for (const client of [ann, ben]) {
      client.on('message', ({ from, type, channel, payload }) => {
        const key = `${from} ${type} ${channel}`
        const numbers = heard.get(client)!
        numbers.set(key, [...(numbers.get(key) ?? []), payload.i as number])
      })
    }
    const outcomes: Promise<unknown>[] = []
    for (let i = 0; i < 300; i++) {
      for (const [client, other] of [[ann, 'ben'] as const, [ben, 'ann'] as const]) {
        outcomes.push(client.publish('science:explore', { i }, { ack: true }))
        if (i % 5 === 0) outcomes.push(client.publish('science:*', { i }, { ack: true }))
        if (i % 3 === 0) outcomes.push(client.private(other, { i }, { ack: true }))
      }
      if (random() < 0.05) lines[random() < 0.5 ? 0 : 1]!.cut()
      if (random() < 0.3) await new Promise((resolve) => setImmediate(resolve))
    }
    await Promise.all(outcomes)
    const everything = ({ echo }: { echo: boolean }, self: string, other: string) => {
      const senders = echo ? [self, other] : [other]
      const numbers = Array.from({ length: 300 }, (_, i) => i)
      return new Map(
        senders.flatMap((from) => [
          [`${from} event explore`, numbers],
          [`${from} event *`, numbers.filter((i) => i % 5 === 0)],
          [`${from} private pm`, numbers.filter((i) => i % 3 === 0)],
        ]),
      )
    }
    const expected = [everything({ echo: seed % 2 === 0 }, 'ann', 'ben'), everything({ echo: true }, 'ben', 'ann')]
    const count = (numbers: Map<string, number[]>) => [...numbers.values()].reduce((sum, { length }) => sum + length, 0)
    for (const [i, client] of [ann, ben].entries()) {
      while (count(heard.get(client)!) < count(expected[i]!)) await next(client, 'message')
      await client.ping()
      expect(heard.get(client)).toEqual(expected[i]!)
    }
    expect(gaps.flatMap(({ all }) => all)).toEqual([])
  }, 120_000)
}
