/**
 * A reference model of RFC 6455 for a server: what it has to do with the bytes that a client sends after the upgrade.
 * It is written from the text of the RFC alone, in no other order than that of the RFC, and knows nothing of a server.
 *
 * Where the RFC allows two ways the model gives both outcomes: text that is not UTF-8 may be noticed with its first
 * wrong byte or at the end of the message (§8.1), and of two faults of one frame either may be named.
 */

/** What the model depends on besides the bytes. */
export type ModelOptions = {
  /** A longer message fails the connection with 1009. */
  readonly mostBytes: number
  /** What the application does with a message: it may end the connection, as for a repeated violation. */
  readonly receive: (message: Message) => Verdict
  /** Known deviations to follow in place of the RFC. Default: none. */
  readonly deviations?: readonly ModelDeviation[]
}

/** A complete message. */
export type Message = { readonly kind: 'text' | 'binary'; readonly bytes: Buffer }

/** What the application says of a message. */
export type Verdict = 'accepted' | 'violation'

/** A deviation from the RFC that the model can follow (docs/security/websocket-deviations.md). */
export type ModelDeviation = 'long-form-lengths'

/** What the server has to do. */
export type Outcome = {
  /** The messages that the application gets, in order. */
  readonly messages: readonly Message[]
  /** The payloads of pings, each of which is answered by a pong, in order. */
  readonly pings: readonly Buffer[]
  readonly end: End
}

/**
 * How it ends: `open` between two frames, `waiting` for the rest of a frame, `closed` by the close frame of the client,
 * or failed by the server, with one of these codes.
 */
export type End =
  | { readonly state: 'open' | 'waiting' }
  | { readonly state: 'closed'; readonly code: number }
  | { readonly state: 'failed'; readonly codes: readonly number[] }

/** Violations of the application's protocol after which it ends the connection with 1008. */
export const MOST_VIOLATIONS = 5

/** All outcomes that the RFC allows for these bytes. */
export function outcomesOf(bytes: Buffer, options: ModelOptions): readonly Outcome[] {
  const late = run(bytes, options, 'end of message')
  const early = run(bytes, options, 'first byte')
  return JSON.stringify(late.end) === JSON.stringify(early.end) && late.pings.length === early.pings.length
    ? [late]
    : [late, early]
}

type UtfCheck = 'first byte' | 'end of message'

/** A frame of the client, as far as its header says. */
type Header = {
  readonly fin: boolean
  readonly reserved: number
  readonly opcode: number
  readonly masked: boolean
  readonly length: bigint
  /** The seven bits of the length: 126 and 127 stand for longer forms. */
  readonly form: number
  readonly bytes: number
}

function run(input: Buffer, options: ModelOptions, utfCheck: UtfCheck): Outcome {
  const { mostBytes, receive, deviations = [] } = options
  const messages: Message[] = []
  const pings: Buffer[] = []
  const outcome = (end: End): Outcome => ({ messages, pings, end: violations < MOST_VIOLATIONS ? end : afterMost(end) })
  const failed = (...codes: number[]) => outcome({ state: 'failed', codes })
  let violations = 0
  let partial: { kind: Message['kind']; parts: Buffer[]; length: number } | undefined

  for (let at = 0; ; ) {
    const header = headerOf(input.subarray(at))
    if (header === undefined) return outcome({ state: at === input.length ? 'open' : 'waiting' })
    const codes = faultsOf(header, partial !== undefined, deviations)
    const isControl = header.opcode >= 8
    if (!isControl && BigInt(partial?.length ?? 0) + header.length > BigInt(mostBytes)) codes.add(1009)
    if (codes.size > 0) return failed(...codes)
    const start = at + header.bytes
    const length = Number(header.length)
    const payload = unmask(input.subarray(start - 4, start), input.subarray(start, start + length))
    const isWhole = payload.length === length
    if (isWhole) at = start + length

    if (header.opcode === 8 && isWhole) return outcome(endOfClose(payload))
    if (header.opcode === 9 && isWhole) pings.push(payload)
    if (!isControl) {
      partial ??= { kind: header.opcode === 2 ? 'binary' : 'text', parts: [], length: 0 }
      partial.parts.push(payload)
      partial.length += length
      const text = Buffer.concat(partial.parts)
      const isLast = isWhole && header.fin
      if (partial.kind === 'text' && (isLast || utfCheck === 'first byte') && !isUtf8(text, isLast)) return failed(1007)
      if (isLast) {
        const message = { kind: partial.kind, bytes: text }
        partial = undefined
        if (violations === MOST_VIOLATIONS) continue
        messages.push(message)
        if (receive(message) === 'violation') violations++
      }
    }
    if (!isWhole) return outcome({ state: 'waiting' })
  }
}

/**
 * The end after the last violation. The application may take its turn later than the port, which then has found what is
 * wrong with the frames behind it, or the close among them; of these frames the application gets none.
 */
function afterMost(end: End): End {
  if (end.state === 'failed') return { state: 'failed', codes: [1008, ...end.codes] }
  return { state: 'failed', codes: end.state === 'closed' ? [1008, end.code] : [1008] }
}

/** Reads the header of a frame (§5.2); undefined while it is incomplete. */
function headerOf(bytes: Buffer): Header | undefined {
  if (bytes.length < 2) return undefined
  const [first, second] = [bytes[0]!, bytes[1]!]
  const form = second & 0x7f
  const masked = second >= 0x80
  const lengthBytes = form === 126 ? 2 : form === 127 ? 8 : 0
  const total = 2 + lengthBytes + (masked ? 4 : 0)
  if (bytes.length < total) return undefined
  const length =
    lengthBytes === 0 ? BigInt(form) : lengthBytes === 2 ? BigInt(bytes.readUInt16BE(2)) : bytes.readBigUInt64BE(2)
  return { fin: first >= 0x80, reserved: (first >> 4) & 7, opcode: first & 15, masked, length, form, bytes: total }
}

/** The codes that the faults of a header call for; none if it is valid. */
function faultsOf(header: Header, isInMessage: boolean, deviations: readonly ModelDeviation[]) {
  const { fin, reserved, opcode, masked, length, form } = header
  const codes = new Set<number>()
  const isControl = opcode >= 8
  // §5.2: reserved bits without an extension, and reserved opcodes.
  if (reserved !== 0 || (opcode > 2 && opcode < 8) || opcode > 10) codes.add(1002)
  // §5.1: a server closes the connection upon a frame that is not masked.
  if (!masked) codes.add(1002)
  // §5.2: the minimal number of bytes encodes the length, and its most significant bit is 0.
  const isLongForm = (form === 126 && length < 126n) || (form === 127 && length < 65_536n)
  if (isLongForm && !deviations.includes('long-form-lengths')) codes.add(1002)
  if (length >> 63n === 1n) codes.add(1002)
  // §5.5: control frames are short, and not fragmented.
  if (isControl && (!fin || form > 125)) codes.add(1002)
  // §5.4: a continuation follows the first frame of a message, and nothing else does but control frames.
  if (!isControl && (opcode === 0) !== isInMessage) codes.add(1002)
  return codes
}

/** What a close frame leads to (§5.5.1, §7.4). */
function endOfClose(payload: Buffer): End {
  if (payload.length === 0) return { state: 'closed', code: 1005 }
  if (payload.length === 1) return { state: 'failed', codes: [1002] }
  const code = payload.readUInt16BE(0)
  const codes: number[] = []
  if (!mayBeSent(code)) codes.push(1002)
  if (!isUtf8(payload.subarray(2), true)) codes.push(1007)
  return codes.length > 0 ? { state: 'failed', codes } : { state: 'closed', code }
}

/**
 * Whether an endpoint may send a close code (§7.4): those that the RFC and the registry of IANA define, except those that
 * only report how a connection ended, and those of libraries and applications.
 */
const mayBeSent = (code: number): boolean =>
  (code >= 1000 && code <= 1014 && ![1004, 1005, 1006].includes(code)) || (code >= 3000 && code <= 4999)

function unmask(mask: Buffer, masked: Buffer): Buffer {
  const bytes = Buffer.from(masked)
  for (let at = 0; at < bytes.length; at++) bytes[at]! ^= mask[at & 3]!
  return bytes
}

/**
 * Whether bytes are UTF-8 (RFC 3629 §4), or the beginning of it if more may follow. By the table of its grammar, not by
 * a decoder of the runtime under test.
 */
export function isUtf8(bytes: Uint8Array, isComplete: boolean): boolean {
  for (let at = 0; at < bytes.length; ) {
    const rule = rules.find(({ first: [from, to] }) => bytes[at]! >= from && bytes[at]! <= to)
    if (rule === undefined) return false
    for (let tail = 0; tail < rule.tails.length; tail++) {
      const byte = bytes[at + 1 + tail]
      if (byte === undefined) return !isComplete
      const [from, to] = rule.tails[tail]!
      if (byte < from || byte > to) return false
    }
    at += 1 + rule.tails.length
  }
  return true
}

type Range = readonly [from: number, to: number]
const tail: Range = [0x80, 0xbf]

/** UTF8-1 to UTF8-4 of RFC 3629: no overlong form, no surrogate, nothing above U+10FFFF. */
const rules: readonly { readonly first: Range; readonly tails: readonly Range[] }[] = [
  { first: [0x00, 0x7f], tails: [] },
  { first: [0xc2, 0xdf], tails: [tail] },
  { first: [0xe0, 0xe0], tails: [[0xa0, 0xbf], tail] },
  { first: [0xe1, 0xec], tails: [tail, tail] },
  { first: [0xed, 0xed], tails: [[0x80, 0x9f], tail] },
  { first: [0xee, 0xef], tails: [tail, tail] },
  { first: [0xf0, 0xf0], tails: [[0x90, 0xbf], tail, tail] },
  { first: [0xf1, 0xf3], tails: [tail, tail, tail] },
  { first: [0xf4, 0xf4], tails: [[0x80, 0x8f], tail, tail] },
]
