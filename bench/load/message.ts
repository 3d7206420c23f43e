import { clientFrame } from './frames.ts'

/**
 * The messages of a load. Every message is the same frame with a few fields of fixed width written into it in place,
 * and a delivered one is read at the same offsets: both servers keep the order of the keys and the length of the
 * timestamp. The id begins with `arq_-`, unlike any id that a server creates, which distinguishes deliveries from
 * replies.
 */
export interface MessageShape {
  /** The length of the whole sent envelope in bytes. */
  bytes: number
  /** The content of the payload: one long string, or a tree of small values that a parser has to build. */
  filling: 'text' | 'tree'
  /** Whether each message asks for an acknowledgement. */
  ack: boolean
}

export interface MessageForm {
  /** `count` consecutive frames for `publisher`, to be sent in one write; `channel` has four characters. */
  framesFor(publisher: number, clientId: string, count: number, channel?: string): MessageFrames
  /** Whether the text at `start` is a message of this load. */
  isMessage(bytes: Buffer, start: number): boolean
  publisher(bytes: Buffer, start: number): number
  sequence(bytes: Buffer, start: number): number
  /** Whether the payload is byte for byte the one that was sent with this sequence number. */
  payloadIntact(bytes: Buffer, start: number): boolean
}

export interface MessageFrames {
  /** Writes this sequence number and time into the n-th frame. */
  write(n: number, sequence: number, isoTime: string): void
  /** The bytes of the first `count` frames. */
  first(count: number): Buffer
}

export const widths = { publisher: 5, sequence: 9 } as const

/** The id of the n-th client of the load: all ids have the same length, so that the offsets are the same. */
export function clientIdOf(index: number): string {
  return `load-${digits(index, widths.publisher)}`
}

export function createMessageForm(shape: MessageShape): MessageForm {
  const text = envelopeText(shape)
  const idAt = text.indexOf('arq_-')
  const publisherAt = idAt + 'arq_-'.length
  const sequenceAt = publisherAt + widths.publisher + 1
  const channelAt = text.indexOf('"main"') + 1
  const fromAt = text.indexOf('load-')
  const timeAt = text.indexOf('2026-')
  const payloadAt = text.indexOf('"payload":') + '"payload":'.length
  const countAt = text.indexOf('"count":"') + '"count":"'.length
  const fillingAt = countAt + widths.sequence
  const payloadEnd = text.length - (shape.ack ? ',"metadata":{"ack":true}}'.length : '}'.length)
  const envelope = Buffer.from(text)
  const headOf = envelope.subarray(payloadAt, countAt)
  const restOf = envelope.subarray(fillingAt, payloadEnd)

  return {
    framesFor(publisher, clientId, count, channel = 'main') {
      if (channel.length !== 4) throw new Error(`the channel must have four characters, but is ${channel}`)
      const frame = clientFrame(envelope)
      const shift = frame.length - envelope.length
      frame.write(digits(publisher, widths.publisher), shift + publisherAt, 'latin1')
      frame.write(channel, shift + channelAt, 'latin1')
      frame.write(clientId, shift + fromAt, 'latin1')
      const bytes = Buffer.concat(Array.from({ length: count }, () => frame))
      const times = new Array<string>(count)
      return {
        write(n, sequence, isoTime) {
          const at = n * frame.length + shift
          writeDigits(bytes, at + sequenceAt, widths.sequence, sequence)
          writeDigits(bytes, at + countAt, widths.sequence, sequence)
          if (times[n] === isoTime) return
          times[n] = isoTime
          bytes.write(isoTime, at + timeAt, 'latin1')
        },
        first: (some) => bytes.subarray(0, some * frame.length),
      }
    },
    isMessage: (bytes, start) => bytes[start + publisherAt - 1] === 0x2d,
    publisher: (bytes, start) => readDigits(bytes, start + publisherAt, widths.publisher),
    sequence: (bytes, start) => readDigits(bytes, start + sequenceAt, widths.sequence),
    payloadIntact(bytes, start) {
      const at = start + payloadAt
      return (
        bytes.compare(headOf, 0, headOf.length, at, at + headOf.length) === 0 &&
        bytes.compare(restOf, 0, restOf.length, start + fillingAt, start + payloadEnd) === 0 &&
        readDigits(bytes, start + countAt, widths.sequence) === readDigits(bytes, start + sequenceAt, widths.sequence)
      )
    },
  }
}

/**
 * The `n` of the position that the bus has written as the last key of the metadata, `…"position":"<ms>-<n>"}}`; 0 if
 * there is none, a number that no log assigns to a message.
 */
export function positionNumber(bytes: Buffer, end: number): number {
  if (bytes[end - 1] !== 0x7d || bytes[end - 2] !== 0x7d || bytes[end - 3] !== 0x22) return 0
  let at = end - 4
  let n = 0
  for (let unit = 1; bytes[at]! >= 0x30 && bytes[at]! <= 0x39; unit *= 10) n += (bytes[at--]! - 0x30) * unit
  return bytes[at] === 0x2d ? n : 0
}

function envelopeText({ bytes, filling, ack }: MessageShape): string {
  const envelope = (fill: unknown) =>
    JSON.stringify({
      version: '1.0',
      id: `arq_-${digits(0, widths.publisher)}-${digits(0, widths.sequence)}`,
      type: 'event',
      room: 'bench',
      channel: 'main',
      from: clientIdOf(0),
      timestamp: '2026-01-01T00:00:00.000Z',
      payload: { count: digits(0, widths.sequence), fill },
      ...(ack ? { metadata: { ack: true } } : {}),
    })
  if (filling === 'tree') {
    const leaves: unknown[] = []
    while (envelope(leaves).length < bytes) leaves.push(leaf(leaves.length))
    return envelope(leaves)
  }
  const bare = envelope('').length
  if (bare > bytes) throw new Error(`an envelope of this form has at least ${bare} bytes`)
  return envelope('x'.repeat(bytes - bare))
}

/** One record as sensors and agents send it: nested, with numbers, flags and short texts; about 200 bytes. */
function leaf(n: number): unknown {
  return {
    id: n,
    name: `sensor-${n}`,
    ok: n % 3 !== 0,
    reading: { celsius: 20 + (n % 17) / 8, humidity: 40 + (n % 29), at: { row: n % 12, column: (n * 7) % 31 } },
    tags: ['north', `rack ${n % 40}`, null],
    trend: [n % 5, (n + 1) % 5, { slope: (n % 9) / 16, stable: true }],
  }
}

function digits(value: number, width: number): string {
  return String(value).padStart(width, '0')
}

function writeDigits(bytes: Buffer, at: number, width: number, value: number): void {
  for (let place = at + width - 1; place >= at; place--) {
    bytes[place] = 0x30 + (value % 10)
    value = (value / 10) | 0
  }
}

function readDigits(bytes: Buffer, at: number, width: number): number {
  let value = 0
  for (let place = at; place < at + width; place++) value = value * 10 + bytes[place]! - 0x30
  return value
}
