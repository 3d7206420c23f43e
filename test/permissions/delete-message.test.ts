/** Deleted messages: a tombstone stays at the position (docs/protocol.md#deleted-messages). */
import { expect, test } from 'bun:test'
import { startBus, type TestClient } from '@arqonbus/testing'
import { refused, run } from '../support/ask.ts'

const adminKey = 'correct-horse-battery-staple'
const bus = await startBus({ adminKey, rateLimit: null, commandRate: null })
const admin = await bus.connect({ query: { client_id: 'admin' }, headers: { authorization: `Bearer ${adminKey}` } })
const [ada, bob] = await Promise.all([bus.as('ada'), bus.as('bob')])

const say = async (client: TestClient, address: string, text: string) => {
  const [room, channel] = address.split(':')
  const { position } = await client.publish({ room: room!, channel: channel!, payload: { text } })
  return position!
}

test('its sender and admins delete a message, and nobody else', async () => {
  const position = await say(ada, 'say:one', 'mine')
  expect(await refused(bob, 'delete_message', { channel: 'say:one', position })).toMatchObject({ code: 'forbidden' })
  expect(await run(ada, 'delete_message', { channel: 'say:one', position })).toEqual({
    channel: 'say:one',
    position,
    deleted: true,
  })
  const second = await say(ada, 'say:one', 'second')
  await run(admin, 'delete_message', { channel: 'say:one', position: second })
  const { messages } = await run(bob, 'history', { channel: 'say:one' })
  expect(messages.map(({ from, payload }) => [from, payload])).toEqual([
    ['ada', {}],
    ['ada', {}],
  ])
})

test('subscribers are notified, and those who recover get the tombstone in its place', async () => {
  const first = await say(ada, 'say:two', 'first')
  const late = await bus.as('late')
  const listeners = [await bus.as('direct', 'say:two'), await bus.as('whole', 'say:*')]
  const position = await say(ada, 'say:two', 'secret word')
  await run(ada, 'delete_message', { channel: 'say:two', position })
  // A second time nothing is left to delete.
  await run(ada, 'delete_message', { channel: 'say:two', position })
  await say(ada, 'say:two', 'last')
  for (const listener of listeners) {
    const frames = (await listener.everything()).map(({ type, channel, payload }) => [type, channel, payload])
    expect(frames).toEqual([
      ['event', 'two', { text: 'secret word' }],
      ['system', 'two', { event: 'message_deleted', position }],
      ['event', 'two', { text: 'last' }],
    ])
  }
  const joined = await late.command('join_channel', { channel: 'say:two', since: first })
  expect(joined).toMatchObject({ recovered: true, missed: 2 })
  const caughtUp = [await late.next(({ type }) => type === 'event'), await late.next(({ type }) => type === 'event')]
  expect(caughtUp.map(({ payload, metadata }) => [payload, metadata])).toMatchObject([
    [{}, { arq_deleted: true, position }],
    [{ text: 'last' }, {}],
  ])
})

test('a message to a whole room is deleted likewise', async () => {
  const listener = await bus.as('in-room', 'say:three')
  const position = await say(ada, 'say:*', 'to all')
  await run(ada, 'delete_message', { channel: 'say:*', position })
  expect((await listener.everything()).map(({ type, payload }) => [type, payload])).toEqual([
    ['event', { text: 'to all' }],
    ['system', { event: 'message_deleted', position }],
  ])
  const { messages } = await run(bob, 'history', { channel: 'say:*', limit: 1, order: 'desc' })
  expect(messages[0]).toMatchObject({ payload: {}, metadata: { arq_deleted: true } })
})

test('the mark of a tombstone cannot be set by a client', async () => {
  const id = ada.send({ type: 'event', room: 'say', channel: 'one', payload: {}, metadata: { arq_deleted: true } })
  expect((await ada.answer(id)).error).toMatchObject({ code: 'invalid_envelope' })
})

test('a client that may publish but not read does not learn which positions are taken', async () => {
  const rules = [
    { client_type: 'human', permissions: { '*:*': ['publish', 'create'] } },
    { client_type: 'service', permissions: { '*:*': ['publish', 'history'] } },
  ]
  const limited = await startBus({ permissions: { rules }, rateLimit: null, commandRate: null })
  const writer = await limited.as('writer')
  const position = await say(writer, 'say:blind', 'mine')
  const other = await limited.as('other')
  const wanted = { code: 'message_not_found', details: { channel: 'say:blind', position } }
  expect(await refused(other, 'delete_message', { channel: 'say:blind', position })).toMatchObject(wanted)
  const free = position.replace(/\d+$/, '999')
  const absent = { ...wanted, details: { channel: 'say:blind', position: free } }
  expect(await refused(other, 'delete_message', { channel: 'say:blind', position: free })).toMatchObject(absent)
  const reader = await limited.connect({ query: { client_id: 'reader', client_type: 'service' } })
  expect(await refused(reader, 'delete_message', { channel: 'say:blind', position })).toMatchObject({
    code: 'forbidden',
  })
  expect(await run(writer, 'delete_message', { channel: 'say:blind', position })).toMatchObject({ deleted: true })
})
