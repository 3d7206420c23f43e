/**
 * A bus with two versions of the protocol serves clients of the first as before (SC-009, docs/protocol.md#versions).
 */
import { expect, test } from 'bun:test'
import { compile, compileAll, DeliveredEnvelope, Envelope, errorCodes, protocolVersions } from '@arqonbus/protocol'
import { startBus } from '@arqonbus/testing'

/** A hypothetical second version: 1.0 with one more field. */
const Envelope2 = {
  ...Envelope,
  properties: { ...Envelope.properties, version: { const: '2.0' }, urgency: { enum: ['low', 'high'] } },
}
const bothVersions = new Map([
  ...protocolVersions,
  ['2.0', { version: '2.0', subprotocol: 'arqonbus.v2', faultsOf: compileAll(Envelope2) }],
])

const bus = await startBus({}, { versions: bothVersions })
const isEnvelope = compile(DeliveredEnvelope)

const place = { room: 'science', channel: 'explore' }

test('clients of both versions share a channel, and each receives envelopes of version 1.0', async () => {
  const old = await bus.connect({ query: { client_id: 'old', join: 'science:both' }, protocols: ['arqonbus.v1'] })
  const recent = await bus.connect({
    query: { client_id: 'recent', join: 'science:both' },
    protocols: ['arqonbus.v2', 'arqonbus.v1'],
  })
  expect([old.socket.protocol, recent.socket.protocol]).toEqual(['arqonbus.v1', 'arqonbus.v2'])
  for (const client of [old, recent]) expect(client.welcome.versions).toEqual(['1.0', '2.0'])

  const both = { ...place, channel: 'both' }
  const first = await old.publish({ ...both, payload: { text: 'from the old one' } })
  const second = await recent.publish({
    ...both,
    version: '2.0',
    urgency: 'high',
    payload: { text: 'from the new one' },
  } as never)
  expect([first, second].map(({ position }) => position?.split('-')[1])).toEqual(['1', '2'])

  for (const client of [old, recent]) {
    const messages = await client.messages()
    expect(messages.map(({ from, version, payload }) => ({ from, version, payload }))).toEqual([
      { from: 'old', version: '1.0', payload: { text: 'from the old one' } },
      { from: 'recent', version: '1.0', payload: { text: 'from the new one' } },
    ])
    for (const message of messages) {
      expect(isEnvelope(message)).toBeUndefined()
      expect(message).not.toHaveProperty('urgency')
    }
  }
})

test('a client that offers no subprotocol, or only the old one, can use every command', async () => {
  for (const protocols of [[], ['arqonbus.v1']]) {
    const client = await bus.connect({ protocols })
    expect(await client.command('ping')).toMatchObject({ pong: true })
    expect(await client.command('join_channel', { channel: 'science:explore' })).toMatchObject({
      channel: 'science:explore',
    })
    const { position } = await client.publish(place)
    const { messages } = await client.command('history', { channel: 'science:explore', order: 'desc', limit: 1 })
    expect(messages).toMatchObject([{ metadata: { position } }])
    await client.close()
  }
})

test('a field of the new version is refused in a 1.0 envelope, and an unknown version is refused', async () => {
  const client = await bus.connect()
  const refused = await client.answer(client.send({ ...place, urgency: 'high' } as never))
  expect(refused.error).toMatchObject({ code: 'invalid_envelope', details: { path: '/urgency' } })
  const unknown = await client.answer(client.send({ ...place, version: '3.0' } as never))
  expect(unknown.error).toMatchObject({
    code: 'unsupported_version',
    status: errorCodes.unsupported_version.status,
    details: { path: '/version', expected: 'one of "1.0", "2.0"' },
  })
})
