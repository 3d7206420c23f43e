import { expect, test } from 'bun:test'
import { type ArqonBusError, connect } from '../src/index.ts'
import { next } from './support/collect.ts'
import { createFixture } from './support/fixture.ts'

const fixture = createFixture()
const refusalOf = (attempt: Promise<unknown>): Promise<ArqonBusError> =>
  attempt.then(
    () => Promise.reject(new Error('it was not refused')),
    (error) => error,
  )

test('a client connects, and the server knows it as it described itself', async () => {
  const { busUrl } = await fixture.bus()
  const client = await fixture.client({
    url: busUrl,
    clientId: 'ann',
    clientType: 'ai-agent',
    screenName: 'Ann Ä',
    avatar: 'https://example.org/a.png?x=1&y=2',
    personality: 'calm',
  })
  expect(client.clientId).toBe('ann')
  expect(client.state).toBe('open')
  expect(client.welcome.client).toMatchObject({
    client_id: 'ann',
    client_type: 'ai-agent',
    screen_name: 'Ann Ä',
    avatar: 'https://example.org/a.png?x=1&y=2',
    personality: 'calm',
  })
})

test('a client without an id gets one from the server', async () => {
  const { busUrl } = await fixture.bus()
  const [one, other] = await Promise.all([fixture.client({ url: busUrl }), fixture.client({ url: busUrl })])
  expect(one.clientId).not.toBe(other.clientId)
  expect(one.session).toMatch(/^[\w-]+$/)
})

test('the joins of the options are in force when the client is connected', async () => {
  const { busUrl } = await fixture.bus()
  const client = await fixture.client({ url: busUrl, join: ['science:explore', 'chat:*'] })
  expect(client.subscriptions).toEqual(['science:explore', 'chat:*'])
  expect((await client.channelInfo('science:explore')).channel.participants).toEqual([client.clientId])
})

test('a refused join of the options refuses the connection and leaves nothing behind', async () => {
  const { busUrl } = await fixture.bus({ autoCreate: false })
  const error = await refusalOf(connect({ url: busUrl, clientId: 'ann', join: ['science:explore'] }))
  expect(error).toMatchObject({ code: 'room_not_found', status: 404 })
  const next = await fixture.client({ url: busUrl, clientId: 'ben' })
  expect((await next.listClients()).clients.map(({ client_id }) => client_id)).not.toContain('ann')
})

test('a refusal by the server has its code, even before a welcome', async () => {
  const { busUrl } = await fixture.bus()
  const error = await refusalOf(connect({ url: busUrl, clientType: 'robot' as never }))
  expect(error).toMatchObject({ code: 'invalid_parameters', status: 400, details: { parameter: 'client_type' } })
  await fixture.client({ url: busUrl, clientId: 'ann' })
  expect(await refusalOf(connect({ url: busUrl, clientId: 'ann' }))).toMatchObject({ code: 'client_id_in_use' })
})

test('a server that is not there is reported at once', async () => {
  const { busUrl } = await fixture.bus()
  const line = await fixture.proxy(busUrl)
  await line.close()
  const error = await refusalOf(connect({ url: line.url }))
  expect(error).toMatchObject({ code: 'connection_failed', status: 503, details: { close_code: 1006 } })
})

test('a server that is not there is waited for if the options say so', async () => {
  const { busUrl } = await fixture.bus()
  const line = await fixture.proxy(busUrl)
  line.accept(false)
  const late = fixture.client({ url: line.url, reconnect: { first: true, minDelayMs: 1, maxDelayMs: 10 } })
  line.accept(true)
  expect((await late).state).toBe('open')
})

test('a token is sent as a subprotocol', async () => {
  const { busUrl } = await fixture.bus({ adminKey: 'a-key-that-nobody-knows' })
  const admin = await fixture.client({ url: busUrl, token: async () => 'a-key-that-nobody-knows' })
  const user = await fixture.client({ url: busUrl, clientId: 'user' })
  const ended = next(user, 'closed')
  expect(await admin.disconnectClient('user')).toMatchObject({ disconnected: true })
  expect(await ended).toMatchObject({ code: 'connection_failed', details: { close_code: 4411 } })
  expect(user.state).toBe('closed')
  await expect(connect({ url: busUrl, token: 'a-wrong-key' })).rejects.toMatchObject({ code: 'unauthenticated' })
})

test('a later program with the session resumes it, and the earlier one is notified', async () => {
  const { busUrl } = await fixture.bus()
  const before = await fixture.client({ url: busUrl, clientId: 'ann' })
  const ended = next(before, 'closed')
  const after = await fixture.client({ url: busUrl, clientId: 'ann', session: before.session })
  expect(after.welcome.resumed).toBe(true)
  expect(await ended).toMatchObject({ details: { close_code: 4410 } })
  expect(before.state).toBe('closed')
})

test('closing settles everything that waits: requests with an error code, iterators with their end', async () => {
  const { busUrl } = await fixture.bus()
  const line = await fixture.proxy(busUrl)
  const client = await fixture.client({ url: line.url, closeTimeoutMs: 50 })
  const messages = client.messages()
  line.holdReplies(true)
  const [published, asked, taken] = [
    client.publish('science:explore', {}, { ack: true, id: 'arq_last' }),
    client.ping(),
    messages.next(),
  ].map((promise) => Promise.resolve(promise).catch((error: unknown) => error))
  await client.close()
  expect(await published).toMatchObject({ code: 'outcome_unknown', requestId: 'arq_last' })
  expect(await asked).toMatchObject({ code: 'closed', status: 410 })
  expect(await taken).toEqual({ done: true, value: undefined })
  await expect(client.ping()).rejects.toMatchObject({ code: 'closed' })
  await expect(client.publish('science:explore', {}, { ack: true })).rejects.toMatchObject({ code: 'closed' })
  const refused = next(client, 'refused')
  const id = client.publish('science:explore', {})
  expect(await refused).toMatchObject({ code: 'closed', requestId: id })
  expect(await client.messages().next()).toEqual({ done: true, value: undefined })
  await client.close()
})

test('handlers of the options get events from the first frame on', async () => {
  const { busUrl } = await fixture.bus()
  const events: string[] = []
  const client = await fixture.client({
    url: busUrl,
    on: {
      connected: ({ client }) => events.push(`connected ${client.client_id}`),
      closed: (error) => events.push(`closed ${error}`),
    },
    clientId: 'ann',
  })
  await client.close()
  expect(events).toEqual(['connected ann', 'closed undefined'])
})
