/**
 * Encodes and decodes WebSocket frames (RFC 6455 §5.2): the load process must be cheaper than the server that it loads,
 * so it never decodes a frame that it does not need.
 */

export const opcodes = { text: 0x81, close: 0x88, ping: 0x89, pong: 0x8a } as const

/**
 * A frame of a client. The mask is zero, which the RFC allows and which leaves the bytes readable: a frame is created
 * once and its fields are overwritten in place. The server unmasks it nevertheless.
 */
export function clientFrame(payload: Uint8Array, opcode: number = opcodes.text): Buffer {
  const length = payload.length
  const head = length < 126 ? 2 : length < 65536 ? 4 : 10
  const frame = Buffer.alloc(head + 4 + length)
  frame[0] = opcode
  frame[1] = 0x80 | (head === 2 ? length : head === 4 ? 126 : 127)
  if (head === 4) frame.writeUInt16BE(length, 2)
  if (head === 10) frame.writeBigUInt64BE(BigInt(length), 2)
  frame.set(payload, head + 4)
  return frame
}

export function textFrame(text: string): Buffer {
  return clientFrame(Buffer.from(text))
}

/** Called for each complete frame; `start` and `end` bound its payload in `bytes`, which must not be kept. */
export type OnFrame<Owner> = (owner: Owner, opcode: number, bytes: Buffer, start: number, end: number) => void

/**
 * Finds the frames of a chunk by their headers and returns the rest, an incomplete frame to be passed
 * with the next chunk, or null.
 */
export function readFrames<Owner>(owner: Owner, rest: Buffer | null, chunk: Buffer, onFrame: OnFrame<Owner>) {
  const bytes = rest === null ? chunk : Buffer.concat([rest, chunk])
  const size = bytes.length
  let at = 0
  while (size - at >= 2) {
    let length = bytes[at + 1]!
    let head = 2
    if (length === 126) {
      if (size - at < 4) break
      length = (bytes[at + 2]! << 8) | bytes[at + 3]!
      head = 4
    } else if (length === 127) {
      if (size - at < 10) break
      length = bytes.readUInt32BE(at + 6)
      head = 10
    }
    const start = at + head
    if (size - start < length) break
    onFrame(owner, bytes[at]!, bytes, start, start + length)
    at = start + length
  }
  return at === size ? null : Buffer.from(bytes.subarray(at))
}
