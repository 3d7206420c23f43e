/** `Idempotency-Key`: a publish that is sent again. On several nodes and after a restart: `../redis/api.test.ts`. */
import { expect, test } from 'bun:test'
import { startBus } from '@arqonbus/testing'
import { from } from '../peers/from.ts'
import { as, caller, messagesOf } from './call.ts'

const bus = await startBus({ dedupWindowMs: 60_000 })
const call = caller(bus.httpUrl)
const publish = (channel: string, key: string, n: number, headers: Record<string, string> = {}) =>
  call(messagesOf('keys', channel), { body: `{"payload":{"n":${n}}}`, headers: { 'idempotency-key': key, ...headers } })
const numbers = async (channel: string) =>
  (await call(messagesOf('keys', channel))).body.messages.map(({ payload }: { payload: { n: number } }) => payload.n)

test('the same key with the same content gets the first position, with other content a conflict', async () => {
  for (const headers of [as('svc'), {}] as Record<string, string>[]) {
    const channel = `same-${Object.keys(headers).length}`
    const first = await publish(channel, 'order-17', 1, headers)
    const again = await publish(channel, 'order-17', 1, headers)
    expect([first.status, again.status, again.body]).toEqual([201, 200, { ...first.body, duplicate: true }])
    const other = await publish(channel, 'order-17', 2, headers)
    expect([other.status, other.body.error]).toMatchObject([
      409,
      { code: 'id_conflict', details: { id: first.body.id } },
    ])
    expect((await publish(channel, 'order-18', 2, headers)).status).toBe(201)
    expect(await numbers(channel)).toEqual([1, 2])
  }
})

test('a key belongs to its caller and its channel: the ids under it differ', async () => {
  const all = [
    await publish('one', 'k', 1, as('svc')),
    await publish('two', 'k', 1, as('svc')),
    await publish('one', 'k', 1, as('other')),
    await publish('one', 'k', 1),
  ]
  expect(all.map(({ status }) => status)).toEqual([201, 201, 201, 201])
  expect(new Set(all.map(({ body }) => body.id)).size).toBe(4)
})

test('without a client id, all requests of an address with a key are from one caller, with one client id for that key', async () => {
  const reader = await bus.as('reader', 'keys:anonymous')
  for (const key of ['a', 'a', 'b']) await publish('anonymous', key, 1)
  const [a, b] = await reader.messages()
  expect([a!.from, b!.from]).toEqual([expect.stringMatching(/^api-/), expect.stringMatching(/^api-/)])
  expect(a!.from).not.toBe(b!.from)
})

test('strangers under the same key, without client ids, neither suppress nor answer each other', async () => {
  const shared = await startBus({ dedupWindowMs: 60_000, trustedProxies: ['loopback'] })
  const ask = caller(shared.httpUrl)
  const post = (address: string, n: number, path = messagesOf('keys', 'shared')) => {
    const message = `{"room":"keys","channel":"shared","payload":{"n":${n}}}`
    const body = path === '/messages' ? `{"messages":[${message}]}` : `{"payload":{"n":${n}}}`
    return ask(path, { body, headers: { 'idempotency-key': '1', ...from(address) } })
  }
  const reader = await shared.as('reader', 'keys:shared')
  const [ann, eve] = [await post('203.0.113.1', 1), await post('203.0.113.2', 1)]
  expect([ann.status, eve.status]).toEqual([201, 201])
  expect((await post('203.0.113.2', 2)).body.error).toMatchObject({ code: 'id_conflict', details: { id: eve.body.id } })
  expect((await post('203.0.113.1', 1)).body).toEqual({ ...ann.body, duplicate: true })
  // A batch of a stranger too.
  const batched = await post('203.0.113.3', 1, '/messages')
  expect(batched.body.results).toMatchObject([{ status: 201, duplicate: false }])
  const copies = await reader.messages()
  expect(copies.map(({ payload }) => payload)).toEqual([{ n: 1 }, { n: 1 }, { n: 1 }])
  expect(new Set(copies.map(({ from }) => from)).size).toBe(3)

  // What subscribers see of a caller says nothing of its address to those who do not know the secret of the bus.
  const other = await startBus({ trustedProxies: ['loopback'] })
  const [there] = [await other.as('reader', 'keys:shared')]
  await caller(other.httpUrl)(messagesOf('keys', 'shared'), {
    body: '{"payload":{"n":1}}',
    headers: { 'idempotency-key': '1', ...from('203.0.113.1') },
  })
  const [copy] = await there.messages()
  expect(copies.map(({ from }) => from)).not.toContain(copy!.from)
})

test('a key may be in quotes, and is the same without', async () => {
  const first = await publish('quotes', '"8e03978e-40d5-43dd-bc93-6894a57f9324"', 1)
  const again = await publish('quotes', '8e03978e-40d5-43dd-bc93-6894a57f9324', 1)
  expect([first.status, again.status]).toEqual([201, 200])
})

test('a key that is empty, too long or not plain, and one beside an id, is refused', async () => {
  for (const key of ['""', 'x'.repeat(256), 'two words', 'é']) {
    const { status, body } = await publish('wrong', key, 1)
    expect([key, status, body.error.details.path]).toEqual([key, 400, '/headers/idempotency-key'])
  }
  const body = '{"id":"arq_1","payload":{}}'
  const both = await call(messagesOf('keys', 'wrong'), { body, headers: { ...as('svc'), 'idempotency-key': 'k' } })
  expect([both.status, both.body.error]).toMatchObject([
    400,
    { code: 'invalid_parameters', details: { path: '/headers/idempotency-key' } },
  ])
  expect((await publish('wrong', 'x'.repeat(255), 1)).status).toBe(201)
})

test('a batch under a key is known again message by message, and what has changed in it is a conflict', async () => {
  const send = async (...texts: string[]) => {
    const messages = texts.map((text) => ({ room: 'keys', channel: 'batch', payload: { n: text } }))
    const headers = { 'idempotency-key': 'batch-1' }
    const { body } = await call('/messages', { body: JSON.stringify({ messages }), headers })
    return body.results as { status: number; position: string }[]
  }
  const first = await send('same', 'same')
  const again = await send('same', 'same', 'more')
  expect(again.map(({ status }) => status)).toEqual([200, 200, 201])
  expect(again.slice(0, 2).map(({ position }) => position)).toEqual(first.map(({ position }) => position))
  expect((await send('same', 'other')).map(({ status }) => status)).toEqual([200, 409])
  expect(await numbers('batch')).toEqual(['same', 'same', 'more'])
})

test('messages that are sent again in another trace are the same', async () => {
  const trace = (digit: string) => ({
    traceparent: `00-${digit.repeat(32)}-${digit.repeat(16)}-01`,
    tracestate: `vendor=${digit}`,
  })
  const [first, again] = [await publish('traced', 'k', 1, trace('1')), await publish('traced', 'k', 1, trace('2'))]
  expect([first.status, again.status, again.body.position]).toEqual([201, 200, first.body.position])
})
