import { expect, test } from 'bun:test'
import { clientFrame, readFrames, textFrame } from './frames.ts'

const texts = ['', 'a', 'b'.repeat(125), 'c'.repeat(126), 'd'.repeat(65_536), 'end']

test('frames are found wherever the stream is cut', () => {
  const stream = Buffer.concat(texts.map(serverFrame))
  for (const size of [1, 7, 127, 4096, stream.length]) {
    const found: string[] = []
    let rest: Buffer | null = null
    for (let at = 0; at < stream.length; at += size) {
      const chunk = stream.subarray(at, at + size)
      rest = readFrames(found, rest, chunk, (list, opcode, bytes, start, end) => {
        expect(opcode).toBe(0x81)
        list.push(bytes.toString('latin1', start, end))
      })
    }
    expect(rest).toBeNull()
    expect(found).toEqual(texts)
  }
})

test('a client frame is masked with a mask that changes nothing', () => {
  for (const text of texts) {
    const frame = textFrame(text)
    expect(frame[1]! & 0x80).toBe(0x80)
    const head = frame.length - text.length
    expect([...frame.subarray(head - 4, head)]).toEqual([0, 0, 0, 0])
    expect(frame.toString('latin1', head)).toBe(text)
  }
})

/** A frame of a server: that of a client without the mask. */
function serverFrame(text: string): Buffer {
  const masked = clientFrame(Buffer.from(text))
  const head = masked.length - text.length - 4
  masked[1]! &= 0x7f
  return Buffer.concat([masked.subarray(0, head), masked.subarray(head + 4)])
}
