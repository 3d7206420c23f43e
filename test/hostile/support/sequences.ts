/** Generates what a client sends after its upgrade: valid frames, invalid ones, and bytes that are no frames at all. */
import { createRandom, encodeFrame, type Random, type RawFrame } from '@arqonbus/testing'

/** The bytes of one connection. The same seed gives the same bytes on any machine. */
export type Sequence = {
  readonly seed: number
  readonly bytes: Buffer
  /** Where the bytes are cut into writes. */
  readonly cuts: readonly number[]
  /** The names of the moves that made them, for the message of a failed test. */
  readonly moves: readonly string[]
}

/** What the sequences are for. */
export type Setting = {
  /** The message limit of the bus; a message of more than four times this fails the connection. */
  readonly limit: number
  /** A text that the bus accepts and sends back, with this text in it. */
  readonly envelope: (text: string) => string
}

/** Generates the sequence of a seed. */
export function sequenceOf(seed: number, setting: Setting): Sequence {
  const random = createRandom(seed)
  const moves: string[] = []
  const parts: Buffer[] = []
  const count = 1 + random.below(6)
  for (let i = 0; i < count; i++) {
    // Valid frames come before and after the invalid ones: a fault has to be found in any state.
    const name = random.pick(random.chance(55) ? validMoves : invalidMoves)
    moves.push(name)
    for (const part of allMoves[name]!(random, setting)) parts.push(Buffer.isBuffer(part) ? part : encodeFrame(part))
  }
  if (random.chance(10)) {
    moves.push('a changed header')
    const at = random.below(parts.length)
    parts[at] = changed(parts[at]!, random)
  }
  const bytes = Buffer.concat(parts)
  const cuts = Array.from({ length: random.below(4) }, () => random.below(bytes.length + 1)).sort((a, b) => a - b)
  return { seed, bytes, cuts, moves }
}

type Move = (random: Random, setting: Setting) => readonly (RawFrame | Buffer)[]

const bytes = (...values: number[]) => Buffer.from(values)
const shortText = (random: Random) => Array.from({ length: random.below(30) }, () => random.pick(characters)).join('')
/** Characters of one to four bytes, and the first and the last of each length. */
const characters = [
  ...['a', 'z', '0', ' ', '\u007f', '\u0080', 'ü', '\u07ff', '\u0800', '€', '\ud7ff', '\ue000', '\ufffd', '\uffff'],
  ...['\u{10000}', '🚀', '\u{10ffff}'],
]

/** Cuts a message into fragments at any byte, also into empty ones, with control frames in between. */
function fragments(random: Random, kind: 'text' | 'binary', payload: Buffer): RawFrame[] {
  const count = 2 + random.below(4)
  const cuts = Array.from({ length: count - 1 }, () => random.below(payload.length + 1)).sort((a, b) => a - b)
  return [...cuts, payload.length].flatMap((end, i) => {
    const frame: RawFrame = {
      kind: i === 0 ? kind : 'continuation',
      payload: payload.subarray(i === 0 ? 0 : cuts[i - 1], end),
      fin: i === count - 1,
    }
    return random.chance(25) ? [frame, { kind: 'ping', payload: shortPayload(random) } as RawFrame] : [frame]
  })
}

const shortPayload = (random: Random) => Buffer.alloc(random.pick([0, 1, 4, 124, 125]), 'p')
const text = (random: Random, { envelope }: Setting) => Buffer.from(envelope(shortText(random)))

/** Byte sequences that are not UTF-8 (RFC 3629 §3, §4). */
const notUtf8: readonly (readonly number[])[] = [
  [0x80], // a lone continuation byte
  [0xbf, 0xbf],
  [0xc0, 0x80], // overlong NUL, of two, three and four bytes
  [0xe0, 0x80, 0x80],
  [0xf0, 0x80, 0x80, 0x80],
  [0xc1, 0xbf], // the last overlong forms
  [0xe0, 0x9f, 0xbf],
  [0xf0, 0x8f, 0xbf, 0xbf],
  [0xed, 0xa0, 0x80], // surrogates, alone and in a pair
  [0xed, 0xbf, 0xbf],
  [0xed, 0xa0, 0xbd, 0xed, 0xb0, 0x80],
  [0xf4, 0x90, 0x80, 0x80], // above U+10FFFF
  [0xf5, 0x80, 0x80, 0x80],
  [0xf8, 0x88, 0x80, 0x80, 0x80], // forms of five and six bytes
  [0xfc, 0x84, 0x80, 0x80, 0x80, 0x80],
  [0xfe],
  [0xff],
  [0xc3], // cut off
  [0xe2, 0x82],
  [0xf0, 0x9f, 0x9a],
  [0xc3, 0x28], // a character that breaks off before another
  [0xe2, 0x28, 0xa1],
  [0xf0, 0x9f, 0x28, 0x80],
]

const spoiled = (random: Random, setting: Setting): Buffer => {
  const good = text(random, setting)
  const at = random.pick([0, good.indexOf('"text":"') + 8, good.length, random.below(good.length + 1)])
  return Buffer.concat([good.subarray(0, at), bytes(...random.pick(notUtf8)), good.subarray(at)])
}

const closeOf = (code: number, reason: string | Buffer = '') =>
  Buffer.concat([bytes(code >> 8, code & 255), Buffer.from(reason)])

const definedCodes = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999]
const wrongCodes = [0, 1, 999, 1004, 1005, 1006, 1015, 5000, 9999, 32_768, 65_535]

const valid: Record<string, Move> = {
  'a message': (random, setting) => [{ payload: text(random, setting) }],
  'a message in fragments': (random, setting) => fragments(random, 'text', text(random, setting)),
  'a message with a fragment for each byte': (random, { envelope }) => {
    const whole = Buffer.from(envelope(random.pick(characters)))
    return Array.from(whole, (_, at) => ({
      kind: at === 0 ? 'text' : 'continuation',
      payload: whole.subarray(at, at + 1),
      fin: at === whole.length - 1,
    }))
  },
  'many empty fragments': (random, setting) => [
    { fin: false },
    ...Array.from({ length: random.below(200) }, (): RawFrame => ({ kind: 'continuation', fin: false })),
    { kind: 'continuation', payload: text(random, setting) },
  ],
  'a ping': (random) => [{ kind: 'ping', payload: shortPayload(random) }],
  'pings with bytes that are no text': (random) => [{ kind: 'ping', payload: bytes(...random.pick(notUtf8)) }],
  'an unsolicited pong': (random) => [{ kind: 'pong', payload: shortPayload(random) }],
  'an empty message': () => [{ payload: '' }],
  'text that is no JSON': (random) => [{ payload: `{${shortText(random)}` }],
  'a binary message': (random) => [{ kind: 'binary', payload: bytes(...random.pick(notUtf8)) }],
  'a binary message in fragments': (random) =>
    fragments(random, 'binary', Buffer.alloc(random.below(300), random.below(256))),
  'a message over the limit': (random, { limit }) => [{ payload: 'x'.repeat(limit + 1 + random.below(3 * limit)) }],
  'a message of the maximum length of each form': (random, { envelope }) => {
    const most = random.pick([125, 126, 127, 65_535, 65_536]) - Buffer.byteLength(envelope(''))
    return [{ payload: envelope('x'.repeat(Math.max(0, most))) }]
  },
}

const invalid: Record<string, Move> = {
  'a reserved bit': (random, setting) => [
    { payload: text(random, setting), reserved: 1 + random.below(7), kind: random.pick(['text', 'ping'] as const) },
  ],
  'a reserved bit of a continuation': (random, setting) => [
    { payload: text(random, setting), fin: false },
    { kind: 'continuation', reserved: 1 + random.below(7) },
  ],
  'a reserved opcode': (random) => [
    { kind: random.pick([3, 4, 5, 6, 7, 11, 12, 13, 14, 15]), payload: shortPayload(random), fin: random.chance(80) },
  ],
  'a frame that is not masked': (random, setting) => [
    {
      payload: random.chance(50) ? text(random, setting) : '',
      masked: false,
      kind: random.pick(['text', 'binary', 'ping', 'pong', 'close', 'continuation'] as const),
    },
  ],
  'a control frame in fragments': (random) => [
    { kind: random.pick(['ping', 'pong', 'close'] as const), payload: shortPayload(random), fin: false },
  ],
  'a control frame that is too long': (random) => [
    {
      kind: random.pick(['ping', 'pong', 'close'] as const),
      payload: Buffer.alloc(random.pick([126, 127, 200, 70_000])),
    },
  ],
  'a continuation of nothing': (random, setting) => [
    { kind: 'continuation', payload: text(random, setting), fin: random.chance(50) },
  ],
  'a message inside another': (random, setting) => [
    { payload: text(random, setting), fin: false, kind: random.pick(['text', 'binary'] as const) },
    { payload: text(random, setting), fin: random.chance(50), kind: random.pick(['text', 'binary'] as const) },
  ],
  'a message that is never finished': (random, setting) => [{ payload: text(random, setting), fin: false }],
  'a length in a longer form than needed': (random, setting) => [longForm(text(random, setting), random)],
  'a length with its highest bit set': (random) => [
    { length: 2n ** 63n + BigInt(random.below(1000)), kind: random.pick(['text', 'binary', 'ping', 'continuation']) },
  ],
  'a huge length': (random, { limit }) => [
    {
      length: random.pick([BigInt(4 * limit + 1), 2n ** 31n, 2n ** 32n, 2n ** 40n, 2n ** 53n, 2n ** 63n - 1n]),
      kind: random.pick(['text', 'binary'] as const),
      fin: random.chance(50),
    },
  ],
  'a message of more than four times the limit': (random, { limit }) => [
    { payload: Buffer.alloc(4 * limit + 1 + random.below(100), 'x') },
  ],
  'fragments of more than four times the limit': (random, { limit }) => [
    { payload: Buffer.alloc(4 * limit - random.below(100), 'x'), fin: false },
    { kind: 'continuation', payload: Buffer.alloc(1 + random.below(200), 'x'), fin: random.chance(50) },
  ],
  'a length without its payload': (random, { limit }) => [{ length: 1 + random.below(4 * limit) }],
  'text that is not UTF-8': (random, setting) => [{ payload: spoiled(random, setting) }],
  'text that is not UTF-8, in fragments': (random, setting) => fragments(random, 'text', spoiled(random, setting)),
  'a character that is cut by fragments and not continued': (random) => [
    { payload: bytes(...random.pick([[0xc3], [0xe2, 0x82], [0xf0, 0x9f]])), fin: false },
    { kind: 'ping', payload: shortPayload(random) },
    { kind: 'continuation', payload: random.pick(['', 'x']) },
  ],
  'a close': () => [{ kind: 'close' }],
  'a close with a code': (random) => [
    { kind: 'close', payload: closeOf(random.pick(definedCodes), shortText(random)) },
  ],
  'a close of one byte': (random) => [{ kind: 'close', payload: bytes(random.below(256)) }],
  'a close with a code that may not be sent': (random) => [
    { kind: 'close', payload: closeOf(random.pick(wrongCodes)) },
  ],
  'a close with a code that is not defined': (random) => [
    { kind: 'close', payload: closeOf(1016 + random.below(1984)) },
  ],
  'a close with any code': (random) => [{ kind: 'close', payload: closeOf(random.below(65_536)) }],
  'a close with a reason that is not UTF-8': (random) => [
    { kind: 'close', payload: closeOf(random.pick(definedCodes), bytes(...random.pick(notUtf8))) },
  ],
  'random bytes': (random) => [Buffer.from(Array.from({ length: 1 + random.below(200) }, () => random.below(256)))],
  'a random header': (random) => [
    Buffer.from([random.below(256), 0x80 | random.below(128), ...Array.from({ length: 14 }, () => random.below(256))]),
  ],
  'a request of HTTP': () => [Buffer.from('GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n')],
}

const allMoves: Record<string, Move> = { ...valid, ...invalid }
const validMoves = Object.keys(valid)
const invalidMoves = Object.keys(invalid)

/** The names of all moves. */
export const moveNames: readonly string[] = Object.keys(allMoves)

/** A frame whose length has two or eight bytes, though fewer were enough. */
function longForm(payload: Buffer, random: Random): Buffer {
  const isLongest = payload.length >= 126 || random.chance(50)
  const length = Buffer.alloc(isLongest ? 8 : 2)
  if (isLongest) length.writeBigUInt64BE(BigInt(payload.length))
  else length.writeUInt16BE(payload.length)
  // With a mask of zeros the payload stays as it is.
  return Buffer.concat([bytes(0x81, 0x80 | (isLongest ? 127 : 126)), length, bytes(0, 0, 0, 0), payload])
}

/** Flips a bit of a header, leaves bytes out of it, or puts some in. */
function changed(original: Buffer, random: Random): Buffer {
  const at = random.below(2)
  if (random.chance(60)) {
    const flipped = Buffer.from(original)
    flipped[at]! ^= 1 << random.below(8)
    return flipped
  }
  const more = Buffer.from(Array.from({ length: random.below(4) }, () => random.below(256)))
  return Buffer.concat([original.subarray(0, at), more, original.subarray(at + random.below(4))])
}
