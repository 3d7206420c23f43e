/** Compressed WebSocket messages (docs/protocol.md#compression). */
import { describe, expect, test } from 'bun:test'
import { constants, deflateRawSync, inflateRawSync } from 'node:zlib'
import { openRaw, type RawSocket, type ServerFrame, startBus } from '@arqonbus/testing'

const LIMIT = 64 * 1024
const bus = await startBus({ compression: true, maxMessageBytes: LIMIT, rateLimit: null, historySize: 10 })

const OFFER = { 'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits' }
const addressed = (fields: object) => ({
  version: '1.0',
  type: 'event',
  room: 'science',
  channel: 'general',
  timestamp: new Date().toISOString(),
  ...fields,
})

/** The payload of a compressed frame (RFC 7692 §7.2.1). */
function deflated(text: string | Buffer): Buffer {
  const bytes = deflateRawSync(text, { finishFlush: constants.Z_SYNC_FLUSH, level: 9 })
  return bytes.subarray(0, bytes.length - 4)
}

/** The reserved bit of the first frame of a compressed message. */
const COMPRESSED = 4

/** The message of a compressed frame. */
const inflated = ({ reserved, payload }: ServerFrame) => {
  expect(reserved).toBe(COMPRESSED)
  const options = { finishFlush: constants.Z_SYNC_FLUSH }
  return JSON.parse(inflateRawSync(Buffer.concat([payload, Buffer.from('0000ffff', 'hex')]), options).toString())
}

const join = async (id: string): Promise<RawSocket> => {
  const socket = await openRaw(`${bus.busUrl}?client_id=${id}&join=science:general`, { headers: OFFER })
  await socket.next('text')
  return socket
}

describe('a client that offers compression', () => {
  test('is told that no side keeps a context, and its welcome, which has its session, is not compressed', async () => {
    const socket = await openRaw(`${bus.busUrl}?personality=${'x'.repeat(900)}&screen_name=${'y'.repeat(60)}`, {
      headers: OFFER,
    })
    const { headers } = await socket.head()
    expect(headers.get('sec-websocket-extensions')?.split('; ').toSorted()).toEqual([
      'client_no_context_takeover',
      'permessage-deflate',
      'server_no_context_takeover',
    ])
    expect((await socket.nextJson()).payload.session).toBeString()
    socket.destroy()
  })

  test('sends and receives compressed messages, and short ones as they are', async () => {
    const [ann, bob] = [await bus.as('ann', 'science:general'), await join('bob')]
    const payload = { text: 'many words '.repeat(500) }
    bob.frame({
      payload: deflated(JSON.stringify(addressed({ id: 'arq_c1', from: 'bob', payload }))),
      reserved: COMPRESSED,
    })
    expect((await ann.next(({ type }) => type === 'event')).payload).toEqual(payload)
    const own = await bob.next('text')
    expect(inflated(own)).toMatchObject({ id: 'arq_c1', payload })
    expect(own.payload.length).toBeLessThan(1000)
    await ann.publish({ payload: { text: 'short' } })
    expect((await bob.next('text')).reserved).toBe(0)
    bob.destroy()
  })

  test('gets history compressed', async () => {
    const ann = await bus.as('writer', 'long:history')
    for (let count = 0; count < 5; count++)
      await ann.publish({ room: 'long', channel: 'history', payload: { text: 'many words '.repeat(50) } })
    const reader = await join('reader')
    const payload = { name: 'history', parameters: { channel: 'long:history' } }
    reader.frame({ payload: JSON.stringify(addressed({ id: 'arq_h', type: 'command', from: 'reader', payload })) })
    expect(inflated(await reader.next('text')).payload.result.messages).toHaveLength(5)
    reader.destroy()
  })
})

describe('limits are for the size of a message before it was compressed', () => {
  test('a message over the limit is refused with a reply, however small it was on the way', async () => {
    const socket = await join('large')
    const text = JSON.stringify(addressed({ id: 'arq_l', from: 'large', payload: { text: 'a'.repeat(2 * LIMIT) } }))
    const payload = deflated(text)
    expect(payload.length).toBeLessThan(1024)
    socket.frame({ payload, reserved: COMPRESSED })
    expect((await socket.nextJson()).payload.error).toMatchObject({ code: 'message_too_large', status: 413 })
    socket.destroy()
  })

  for (const times of [5, 1000])
    test(`a message of ${times} times the limit ends the connection before it is unpacked whole`, async () => {
      const socket = await join(`bomb-${times}`)
      socket.frame({ payload: deflated(Buffer.alloc(times * LIMIT, 'a')), reserved: COMPRESSED })
      expect((await socket.ended).code).toBeOneOf([undefined, 1009])
      expect((await bus.as(`bystander-${times}`)).id).toBe(`bystander-${times}`)
    })

  test('a message in several frames is one message for the limit', async () => {
    const socket = await join('pieces')
    const bytes = deflated(Buffer.alloc(5 * LIMIT, 'a'))
    const middle = Math.floor(bytes.length / 2)
    socket.frame({ payload: bytes.subarray(0, middle), reserved: COMPRESSED, fin: false })
    socket.frame({ kind: 'continuation', payload: bytes.subarray(middle) })
    expect((await socket.ended).code).toBeOneOf([undefined, 1009])
  })

  test('bytes that are no compressed data end one connection, and nothing else', async () => {
    const socket = await join('broken')
    socket.frame({ payload: 'this is not deflated', reserved: COMPRESSED })
    expect((await socket.ended).code).toBeOneOf([undefined, 1002, 1007])
    expect((await bus.as('other')).id).toBe('other')
  })
})

test('a client that offers nothing gets plain frames', async () => {
  const plain = await openRaw(`${bus.busUrl}?client_id=plain&join=science:general`)
  expect((await plain.head()).headers.has('sec-websocket-extensions')).toBe(false)
  expect((await plain.nextJson()).payload.event).toBe('welcome')
  const ann = await bus.as('sender', 'science:general')
  await ann.publish({ payload: { text: 'z'.repeat(3000) } })
  expect((await plain.nextJson()).type).toBe('event')
  plain.destroy()
})

test('compression is off by default, and an offer is not taken', async () => {
  const usual = await startBus()
  const socket = await openRaw(usual.busUrl, { headers: OFFER })
  expect((await socket.head()).headers.has('sec-websocket-extensions')).toBe(false)
  socket.destroy()
})
