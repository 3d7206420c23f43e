/** Bytes that no WebSocket library sends (RFC 6455 §5, §7, §8), and some that few send but that are valid. */
import { afterEach, describe, expect, test } from 'bun:test'
import { openRaw, type RawFrame, type RawSocket, startBus } from '@arqonbus/testing'
import { expectServed } from './support/served.ts'

const LIMIT = 4096
const bus = await startBus({ maxMessageBytes: LIMIT })

afterEach(() => expectServed(bus))

/**
 * Opens a welcomed connection that is subscribed to the channel it publishes to. The id of an ended connection may be
 * in use for a moment, so each has its own.
 */
async function openWelcomed(): Promise<RawSocket> {
  const raw = await openRaw(`${bus.busUrl}?client_id=eve-${++count}&join=science:explore`)
  expect((await raw.head()).status).toBe(101)
  expect(await raw.nextJson()).toMatchObject({ payload: { event: 'welcome' } })
  return raw
}

let count = 0

/** An envelope from the connection that was opened last. */
const envelope = (text: string) =>
  `{"version":"1.0","id":"arq_1","type":"event","room":"science","channel":"explore","from":"eve-${count}","timestamp":"2026-11-21T12:00:00Z","payload":{"text":"${text}"}}`
const bytes = (...values: number[]) => new Uint8Array(values)
const withBytes = (...values: number[]) => {
  const [head = '', tail = ''] = envelope('|').split('|')
  return Buffer.concat([Buffer.from(head), bytes(...values), Buffer.from(tail)])
}

/** Sends the frames; resolves to the close code of the connection. */
async function endOf(frames: readonly RawFrame[]): Promise<number | undefined> {
  const raw = await openWelcomed()
  for (const frame of frames) raw.frame(frame)
  const { code } = await raw.ended
  await expect(raw.nextJson()).rejects.toThrow()
  return code
}

describe('frames that violate the WebSocket protocol', () => {
  const broken: Record<string, RawFrame[]> = {
    'not masked': [{ payload: envelope('x'), masked: false }],
    'not masked and empty': [{ masked: false }],
    'reserved bit 1 (compression that was not agreed upon)': [{ payload: envelope('x'), reserved: 4 }],
    'reserved bit 2': [{ payload: envelope('x'), reserved: 2 }],
    'reserved bit 3': [{ payload: envelope('x'), reserved: 1 }],
    'all reserved bits, of a ping': [{ kind: 'ping', reserved: 7 }],
    'opcode 3': [{ kind: 3, payload: envelope('x') }],
    'opcode 7': [{ kind: 7 }],
    'opcode 11': [{ kind: 11 }],
    'opcode 15': [{ kind: 15 }],
    'a ping of 126 bytes': [{ kind: 'ping', payload: 'x'.repeat(126) }],
    'a fragmented ping': [{ kind: 'ping', fin: false }],
    'a fragmented close': [{ kind: 'close', fin: false }],
    'a continuation without a message': [{ kind: 'continuation', payload: envelope('x') }],
    'a message inside another': [{ payload: '{', fin: false }, { payload: envelope('x') }],
    'a binary message inside a text': [
      { payload: '{', fin: false },
      { kind: 'binary', payload: '}' },
    ],
    'a close of one byte': [{ kind: 'close', payload: 'x' }],
    'the close code 1005': [{ kind: 'close', payload: bytes(0x03, 0xed) }],
    'the close code 1006': [{ kind: 'close', payload: bytes(0x03, 0xee) }],
    'the close code 0': [{ kind: 'close', payload: bytes(0, 0) }],
    'the close code 65535': [{ kind: 'close', payload: bytes(0xff, 0xff) }],
  }
  test.each(Object.entries(broken))(
    'a frame against the protocol ends the connection with 1002 and no reply: %s',
    async (_, frames) => {
      expect(await endOf(frames)).toBe(1002)
    },
  )
})

describe('text that is not UTF-8', () => {
  const broken: Record<string, RawFrame[]> = {
    'a byte that is invalid in UTF-8': [{ payload: withBytes(0xff) }],
    'a lone continuation byte': [{ payload: withBytes(0x80) }],
    'an overlong NUL': [{ payload: withBytes(0xc0, 0x80) }],
    'a surrogate': [{ payload: withBytes(0xed, 0xa0, 0x80) }],
    'a character above U+10FFFF': [{ payload: withBytes(0xf4, 0x90, 0x80, 0x80) }],
    'half a character at the end': [{ payload: bytes(0xe2, 0x82) }],
    'half a character at the end of the last fragment': [
      { payload: bytes(0xe2), fin: false },
      { kind: 'continuation', payload: bytes(0x82) },
    ],
    'in the reason of a close': [{ kind: 'close', payload: bytes(0x03, 0xe8, 0xff) }],
  }
  test.each(Object.entries(broken))(
    'text that is not UTF-8 ends the connection with 1007 and no reply: %s',
    async (_, frames) => {
      expect(await endOf(frames)).toBe(1007)
    },
  )
})

describe('messages over four times the limit', () => {
  const large: Record<string, RawFrame[]> = {
    'one frame': [{ payload: 'x'.repeat(4 * LIMIT + 1) }],
    'a binary one': [{ kind: 'binary', payload: 'x'.repeat(4 * LIMIT + 1) }],
    fragments: [
      { payload: 'x'.repeat(4 * LIMIT), fin: false },
      { kind: 'continuation', payload: 'x' },
    ],
    'only a length, without the rest': [{ length: 4 * LIMIT + 1 }],
    'a length of a tebibyte': [{ length: 2n ** 40n }],
    'the longest possible length': [{ length: 2n ** 63n - 1n }],
    'a length with its highest bit set': [{ length: 2n ** 64n - 1n }],
  }
  test.each(Object.entries(large))(
    'a message over four times the limit ends the connection with 1009 at once: %s',
    async (_, frames) => {
      expect(await endOf(frames)).toBe(1009)
    },
  )

  test('a message of four times the limit is refused with a reply, in one frame and in many', async () => {
    const raw = await openWelcomed()
    raw.frame({ payload: 'x'.repeat(4 * LIMIT) })
    for (let i = 0; i < 4; i++) {
      raw.frame({ kind: i === 0 ? 'text' : 'continuation', payload: 'x'.repeat(LIMIT), fin: i === 3 })
    }
    for (let i = 0; i < 2; i++) {
      expect(await raw.nextJson()).toMatchObject({
        payload: { request_id: null, error: { code: 'message_too_large' } },
      })
    }
    raw.destroy()
  })
})

describe('frames that RFC 6455 allows', () => {
  test('a message in fragments, some empty and one ending inside a character, is accepted with pings in between', async () => {
    const raw = await openWelcomed()
    const whole = Buffer.from(envelope('grüße'))
    const middle = whole.indexOf(0xc3) + 1
    raw.frame({ payload: whole.subarray(0, middle), fin: false })
    raw.frame({ kind: 'ping', payload: 'between' })
    raw.frame({ kind: 'continuation', fin: false })
    raw.frame({ kind: 'ping' })
    raw.frame({ kind: 'continuation', payload: whole.subarray(middle), fin: false })
    raw.frame({ kind: 'continuation' })
    expect((await raw.next('pong')).payload.toString()).toBe('between')
    await raw.next('pong')
    expect(await raw.nextJson()).toMatchObject({ type: 'event', payload: { text: 'grüße' } })
    raw.destroy()
  })

  test('a message with a fragment for each byte is accepted', async () => {
    const raw = await openWelcomed()
    const whole = Buffer.from(envelope('slow'))
    for (let at = 0; at < whole.length; at++) {
      raw.frame({
        kind: at === 0 ? 'text' : 'continuation',
        payload: whole.subarray(at, at + 1),
        fin: at === whole.length - 1,
      })
    }
    expect(await raw.nextJson()).toMatchObject({ type: 'event', payload: { text: 'slow' } })
    raw.destroy()
  })

  test('a message with ten thousand empty fragments before its first byte is accepted', async () => {
    const raw = await openWelcomed()
    raw.frame({ fin: false })
    for (let i = 0; i < 10_000; i++) raw.frame({ kind: 'continuation', fin: false })
    raw.frame({ kind: 'continuation', payload: envelope('at last') })
    expect(await raw.nextJson()).toMatchObject({ type: 'event', payload: { text: 'at last' } })
    raw.destroy()
  })

  test('an unsolicited pong and a length written with more bytes than needed are accepted', async () => {
    const raw = await openWelcomed()
    raw.frame({ kind: 'pong', payload: 'here I am' })
    raw.write(Buffer.from([0x81, 0xfe, 0, 2, 0, 0, 0, 0, 0x7b, 0x7d]))
    expect(await raw.nextJson()).toMatchObject({ payload: { error: { code: 'invalid_envelope' } } })
    raw.destroy()
  })

  test('frames that packets cut at any point are accepted', async () => {
    const raw = await openWelcomed()
    const other = await bus.connect({ query: { join: 'science:explore' } })
    const text = Buffer.from(envelope('piecemeal'))
    const frame = Buffer.concat([Buffer.from([0x81, 0xfe, text.length >> 8, text.length & 0xff, 0, 0, 0, 0]), text])
    for (let at = 0; at < frame.length; at += 7) {
      raw.write(frame.subarray(at, at + 7))
      // A round trip of another client between two pieces keeps them from being sent as one.
      await other.command('ping')
    }
    expect(await raw.nextJson()).toMatchObject({ type: 'event', payload: { text: 'piecemeal' } })
    raw.destroy()
    await other.close()
  })
})

describe('a close', () => {
  test('a close frame is answered with its own code, and nothing after it is read', async () => {
    const witness = await bus.connect({ query: { join: 'science:explore' } })
    const raw = await openWelcomed()
    raw.frame({ kind: 'close', payload: Buffer.concat([bytes(0x0f, 0xa0), Buffer.from('I am off')]) })
    raw.frame({ payload: envelope('too late') })
    expect((await raw.ended).code).toBe(4000)
    expect(await witness.everything()).toEqual([])
    await witness.close()
  })

  test('a connection lost in the middle of a message leaves nothing of that message', async () => {
    const witness = await bus.connect({ query: { join: 'science:explore' } })
    const raw = await openWelcomed()
    raw.frame({ payload: envelope('half').slice(0, 50), fin: false })
    raw.destroy()
    await raw.ended
    expect(await witness.everything()).toEqual([])
    await witness.close()
  })

  test('an HTTP request on an established WebSocket ends the connection with 1002', async () => {
    const raw = await openWelcomed()
    raw.write('GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n')
    expect((await raw.ended).code).toBe(1002)
  })
})
