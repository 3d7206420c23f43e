import { expect, test } from 'bun:test'
import type { Message } from '../src/index.ts'
import { collect, next, textOf } from './support/collect.ts'
import { createFixture } from './support/fixture.ts'

const fixture = createFixture()

/** Resolves when every earlier message is delivered: a channel has one order. */
async function flush(...clients: Awaited<ReturnType<typeof fixture.client>>[]): Promise<void> {
  await Promise.all(clients.map((client) => client.ping()))
}

test('two clients that publish at the same time both get all messages in one order', async () => {
  const { busUrl } = await fixture.bus()
  const join = ['science:explore']
  const ann = await fixture.client({ url: busUrl, clientId: 'ann', join })
  const ben = await fixture.client({ url: busUrl, clientId: 'ben', join })
  const [annHears, benHears] = [ann, ben].map((client) => collect(client, 'message', textOf))
  for (let i = 0; i < 100; i++) {
    ann.publish('science:explore', { text: `a${i}` })
    ben.publish('science:explore', { text: `b${i}` })
  }
  const [first, second] = await Promise.all([annHears!.count(200), benHears!.count(200)])
  expect(first).toEqual(second)
  const numbers = Array.from({ length: 100 }, (_, i) => i)
  expect(first.filter((text) => String(text).startsWith('a'))).toEqual(numbers.map((i) => `a${i}`))
  expect(first.filter((text) => String(text).startsWith('b'))).toEqual(numbers.map((i) => `b${i}`))
})

test('a client gets the messages of its subscriptions and no others', async () => {
  const { busUrl } = await fixture.bus()
  const ann = await fixture.client({ url: busUrl, join: ['science:explore'] })
  const speaker = await fixture.client({ url: busUrl })
  const heard = collect(ann, 'message', ({ room, channel }) => `${room}:${channel}`)
  for (const address of ['chat:public', 'science:general', 'science:explore', 'chat:explore', 'science:*']) {
    await speaker.publish(address, {}, { ack: true })
  }
  await flush(ann)
  expect(heard.all.toSorted()).toEqual(['science:*', 'science:explore'])
  expect(await ann.leave('science:explore')).toBe(true)
  expect(await ann.leave('science:explore')).toBe(false)
  await speaker.publish('science:explore', {}, { ack: true })
  await flush(ann)
  expect(heard.all).toHaveLength(2)
  expect(ann.subscriptions).toEqual([])
})

test('a room-wide subscription delivers every channel, and each message once', async () => {
  const { busUrl } = await fixture.bus()
  const ann = await fixture.client({ url: busUrl, join: ['science:explore', 'science:*'] })
  const speaker = await fixture.client({ url: busUrl })
  const heard = collect(ann, 'message', ({ channel }) => channel)
  for (const channel of ['explore', 'later', 'explore', '*'])
    await speaker.publish(`science:${channel}`, {}, { ack: true })
  await flush(ann)
  expect(heard.all.toSorted()).toEqual(['*', 'explore', 'explore', 'later'])
})

test('a message arrives as it was sent, with the sender, the time and the position from the server', async () => {
  const { busUrl } = await fixture.bus()
  const ann = await fixture.client({ url: busUrl, clientId: 'ann', join: ['science:explore'] })
  const payload = { text: 'ünïcödé 🚀\u0000\u2028', list: [1, { deep: null }], empty: {} }
  const arrived = next(ann, 'message')
  const sent = await ann.publish('science:explore', payload, { ack: true, metadata: { key: 'k', mine: [1] } })
  const message = await arrived
  expect(message).toMatchObject({
    version: '1.0',
    id: sent.id,
    type: 'event',
    room: 'science',
    channel: 'explore',
    from: 'ann',
    payload,
    metadata: { key: 'k', mine: [1], position: sent.position as string },
  })
  expect(message.timestamp).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
})

test('an acknowledgement has the position, the level and the number of recipients', async () => {
  const { busUrl } = await fixture.bus()
  const ann = await fixture.client({ url: busUrl, join: ['science:explore'] })
  const first = await ann.publish('science:explore', {}, { ack: true })
  expect(first).toMatchObject({ durability: 'memory', duplicate: false, recipients: 1 })
  expect(first.position).toMatch(/^\d+-1$/)
  expect(first.id).toMatch(/^arq_[0-9a-f]{12}7/)
  expect((await ann.publish('science:explore', {}, { ack: 'memory' })).position).toMatch(/^\d+-2$/)
})

test('a publish with the same id again is the same message', async () => {
  const { busUrl } = await fixture.bus()
  const ann = await fixture.client({ url: busUrl, join: ['science:explore'] })
  const heard = collect(ann, 'message')
  const first = await ann.publish('science:explore', { text: 'once' }, { ack: true, id: 'arq_one' })
  const again = await ann.publish('science:explore', { text: 'once' }, { ack: true, id: 'arq_one' })
  expect(again).toEqual({ ...first, duplicate: true })
  await expect(ann.publish('science:explore', { text: 'other' }, { ack: true, id: 'arq_one' })).rejects.toMatchObject({
    code: 'id_conflict',
  })
  await flush(ann)
  expect(heard.all).toHaveLength(1)
})

test('a refusal has a code, whether it is awaited or not', async () => {
  const { busUrl } = await fixture.bus({ autoCreate: false })
  const ann = await fixture.client({ url: busUrl })
  const refused = next(ann, 'refused')
  const id = ann.publish('science:explore', {})
  expect(await refused).toMatchObject({ code: 'room_not_found', status: 404, requestId: id })
  await expect(ann.publish('science:explore', {}, { ack: true })).rejects.toMatchObject({ code: 'room_not_found' })
  await expect(ann.publish('science:explore', {}, { ack: 'disk' })).rejects.toBeInstanceOf(Error)
  expect(() => ann.publish('science', {})).toThrow(expect.objectContaining({ code: 'invalid_parameters' }))
  await expect(ann.publish('science', {}, { ack: true })).rejects.toMatchObject({ code: 'invalid_parameters' })
  await expect(ann.join('science')).rejects.toMatchObject({ code: 'invalid_parameters' })
})

test('a frame over the limit never leaves the client, so it counts as no violation', async () => {
  const { busUrl } = await fixture.bus({ maxMessageBytes: 4096 })
  const ann = await fixture.client({ url: busUrl })
  const wide = { text: 'ü'.repeat(2500) }
  for (let i = 0; i < 6; i++) {
    await expect(ann.publish('science:explore', wide, { ack: true })).rejects.toMatchObject({
      code: 'message_too_large',
    })
  }
  const refused = next(ann, 'refused')
  ann.publish('science:explore', wide)
  expect(await refused).toMatchObject({ code: 'message_too_large', status: 413 })
  expect((await ann.publish('science:explore', { text: 'ü'.repeat(1500) }, { ack: true })).duplicate).toBe(false)
  expect(ann.state).toBe('open')
})

test('a private message reaches only its recipients and its sender', async () => {
  const { busUrl } = await fixture.bus()
  const [ann, ben, eve] = await Promise.all(
    ['ann', 'ben', 'eve'].map((clientId) => fixture.client({ url: busUrl, clientId, join: ['science:*'] })),
  )
  const [annHears, benHears, eveHears] = [ann!, ben!, eve!].map((client) => collect(client, 'message'))
  const { position } = await ann!.private('ben', { text: 'psst' }, { ack: true })
  ann!.private(['ben', 'ann'], { text: 'both' }, { room: 'science' })
  await annHears!.count(2)
  const [first, second] = await benHears!.count(2)
  await flush(eve!)
  expect(first).toMatchObject({ type: 'private', from: 'ann', payload: { text: 'psst' }, metadata: { to: 'ben' } })
  expect(second).toMatchObject({ room: 'science', channel: 'pm', payload: { text: 'both' } })
  expect(annHears!.all[0]!.metadata?.position).toBe(position as string)
  expect(eveHears!.all).toEqual([])
  await expect(ann!.private('nobody', {}, { ack: true })).rejects.toMatchObject({
    code: 'client_not_found',
    details: { client_ids: ['nobody'] },
  })
  expect((await ben!.history('arqonbus:inbox')).messages).toHaveLength(2)
})

test('with echo off a client does not get its own messages and misses nothing of others', async () => {
  const { busUrl } = await fixture.bus()
  const ann = await fixture.client({ url: busUrl, clientId: 'ann', echo: false, join: ['science:explore'] })
  const ben = await fixture.client({ url: busUrl, clientId: 'ben', join: ['science:explore'] })
  const [heard, gaps] = [collect(ann, 'message', textOf), collect(ann, 'gap')]
  ann.publish('science:explore', { text: 'own, not acknowledged' })
  await ann.publish('science:explore', { text: 'own' }, { ack: true })
  ann.publish('science:other', { text: 'where nobody listens' })
  await ben.publish('science:explore', { text: 'of Ben' }, { ack: true })
  await ann.publish('science:explore', { text: 'own' }, { ack: true })
  await ben.publish('science:explore', { text: 'of Ben again' }, { ack: true })
  expect(await heard.count(2)).toEqual(['of Ben', 'of Ben again'])
  expect(gaps.all).toEqual([])
})

test('an iterator takes messages one by one, and leaving the loop ends it', async () => {
  const { busUrl } = await fixture.bus()
  const ann = await fixture.client({ url: busUrl })
  const [ofChannel, ofRoom, own] = [
    ann.messages('science:explore'),
    ann.messages('science:*'),
    ann.messages(({ payload }) => payload.mine === true),
  ]
  await ann.join('science:*')
  ann.publish('science:other', { text: 'other' })
  ann.publish('science:explore', { text: 'explore', mine: true })
  ann.publish('science:explore', { text: 'explore again' })
  const texts: unknown[] = []
  for await (const message of ofChannel) if (texts.push(textOf(message)) === 2) break
  expect(texts).toEqual(['explore', 'explore again'])
  expect(textOf((await ofRoom.next()).value as Message)).toBe('other')
  expect(textOf((await own.next()).value as Message)).toBe('explore')
  expect(await ofChannel.next()).toEqual({ done: true, value: undefined })
})

test('an iterator that does not keep up ends with an error after its buffered messages', async () => {
  const { busUrl } = await fixture.bus()
  const ann = await fixture.client({ url: busUrl, join: ['science:explore'] })
  const slow = ann.messages('science:explore', { buffer: 2 })
  for (let i = 0; i < 4; i++) await ann.publish('science:explore', { text: `${i}` }, { ack: true })
  await flush(ann)
  const texts: unknown[] = []
  const loop = (async () => {
    for await (const message of slow) texts.push(textOf(message))
  })()
  await expect(loop).rejects.toMatchObject({ code: 'consumer_too_slow' })
  expect(texts).toEqual(['0', '1'])
})

test('an iterator ends with the error that ended the client', async () => {
  const { busUrl } = await fixture.bus({ adminKey: 'a-key-that-nobody-knows' })
  const ann = await fixture.client({ url: busUrl, clientId: 'ann' })
  const admin = await fixture.client({ url: busUrl })
  const taken = ann.messages().next()
  await admin.disconnectClient('ann', { admin_key: 'a-key-that-nobody-knows' })
  await expect(taken).rejects.toMatchObject({ code: 'connection_failed', details: { close_code: 4411 } })
})

test('telemetry reaches its subscribers', async () => {
  const { busUrl } = await fixture.bus()
  const watcher = await fixture.client({
    url: busUrl,
    clientType: 'dashboard',
    join: ['integriguard:telemetry-stream'],
  })
  const agent = await fixture.client({ url: busUrl, clientId: 'agent', clientType: 'ai-agent' })
  // The bus emits events about the agent too.
  const seen = new Promise((resolve) => watcher.on('telemetry', (event) => event.from === 'agent' && resolve(event)))
  agent.telemetry('model_loaded', { name: 'small' })
  expect(await seen).toMatchObject({
    from: 'agent',
    payload: { eventType: 'model_loaded', payload: { name: 'small' } },
  })
})
