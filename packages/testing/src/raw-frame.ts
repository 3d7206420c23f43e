/** Encodes and decodes WebSocket frames (RFC 6455 §5.2), valid ones and invalid ones. */

/** The kinds of frames, by name. */
const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const

/** The kind of a frame. */
export type FrameKind = keyof typeof opcodes

/** The parts of a frame; the defaults are those of a correct client. */
export type RawFrame = {
  /** Default `text`; a number for an unknown kind. */
  kind?: FrameKind | number
  payload?: string | Uint8Array
  /** Whether it is the last frame of its message. */
  fin?: boolean
  /** The three reserved bits, 0 to 7. */
  reserved?: number
  masked?: boolean
  /** The length in the header, if it is not the true one. */
  length?: number | bigint
}

/** A frame from the server. */
export type ServerFrame = { kind: FrameKind | undefined; fin: boolean; reserved: number; payload: Buffer }

/** The mask of all frames; its value does not matter. */
const MASK = [0x37, 0xfa, 0x21, 0x3d] as const

/** Encodes a frame. */
export function encodeFrame(frame: RawFrame): Buffer {
  const { kind = 'text', fin = true, reserved = 0, masked = true } = frame
  const opcode = typeof kind === 'number' ? kind : opcodes[kind]
  const payload = Buffer.from(frame.payload ?? '')
  const first = (fin ? 0x80 : 0) | (reserved << 4) | opcode
  const head = Buffer.from([first, ...lengthBytes(frame.length ?? payload.length, masked ? 0x80 : 0)])
  if (!masked) return Buffer.concat([head, payload])
  for (let at = 0; at < payload.length; at++) payload[at]! ^= MASK[at & 3]!
  return Buffer.concat([head, Buffer.from(MASK), payload])
}

function lengthBytes(length: number | bigint, maskBit: number): number[] {
  if (length < 126) return [maskBit | Number(length)]
  const wide = Buffer.alloc(8)
  wide.writeBigUInt64BE(BigInt(length))
  return length < 65_536 ? [maskBit | 126, ...wide.subarray(6)] : [maskBit | 127, ...wide]
}

/** Removes the first frame from the bytes; undefined while it is incomplete. */
export function decodeFrame(bytes: Buffer): { frame: ServerFrame; rest: Buffer } | undefined {
  if (bytes.length < 2) return undefined
  const short = bytes[1]! & 0x7f
  const wide = short === 126 ? 2 : short === 127 ? 8 : 0
  const start = 2 + wide
  if (bytes.length < start) return undefined
  const length = wide === 0 ? short : wide === 2 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2))
  if (bytes.length < start + length) return undefined
  const frame = {
    fin: bytes[0]! >= 0x80,
    reserved: (bytes[0]! >> 4) & 7,
    kind: kindOf(bytes[0]! & 15),
    payload: bytes.subarray(start, start + length),
  }
  return { frame, rest: bytes.subarray(start + length) }
}

const kindOf = (opcode: number): FrameKind | undefined =>
  (Object.keys(opcodes) as FrameKind[]).find((kind) => opcodes[kind] === opcode)
