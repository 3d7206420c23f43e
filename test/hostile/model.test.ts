/** The model that judges the ports is judged by the examples and the rules of RFC 6455 and RFC 3629 themselves. */
import { describe, expect, test } from 'bun:test'
import { encodeFrame, type RawFrame } from '@arqonbus/testing'
import { isUtf8, MOST_VIOLATIONS, type Outcome, outcomesOf } from './support/model.ts'

const options = {
  mostBytes: 1000,
  receive: ({ kind }: { kind: string }) => (kind === 'text' ? 'accepted' : 'violation'),
} as const
const bytes = (hex: string) => Buffer.from(hex.replaceAll(' ', ''), 'hex')
const of = (...frames: (RawFrame | Buffer)[]): Outcome => {
  const [outcome, ...others] = outcomesOf(
    Buffer.concat(frames.map((one) => (Buffer.isBuffer(one) ? one : encodeFrame(one)))),
    options,
  )
  expect(others).toEqual([])
  return outcome!
}
const failed = (...codes: number[]) => ({ state: 'failed' as const, codes })

describe('the model of RFC 6455', () => {
  test('the masked "Hello" of §5.7 is a message', () => {
    const { messages, end } = of(bytes('81 85 37 fa 21 3d 7f 9f 4d 51 58'))
    expect([messages, end]).toEqual([[{ kind: 'text', bytes: Buffer.from('Hello') }], { state: 'open' }])
  })

  test('fragments make one message, and a ping between them is answered', () => {
    const { messages, pings } = of(
      { payload: 'Hel', fin: false },
      { kind: 'ping', payload: 'x' },
      { kind: 'continuation', payload: 'lo' },
    )
    expect([messages.map((one) => one.bytes.toString()), pings.map(String)]).toEqual([['Hello'], ['x']])
  })

  const ends: [rule: string, frames: (RawFrame | Buffer)[], end: Outcome['end']][] = [
    ['a frame that is not masked', [{ masked: false }], failed(1002)],
    ['a reserved bit', [{ reserved: 4 }], failed(1002)],
    ['a reserved opcode', [{ kind: 3 }], failed(1002)],
    ['a control frame of 126 bytes', [{ kind: 'ping', payload: 'x'.repeat(126) }], failed(1002)],
    ['a control frame in fragments', [{ kind: 'ping', fin: false }], failed(1002)],
    ['a continuation of nothing', [{ kind: 'continuation' }], failed(1002)],
    ['a message inside another', [{ fin: false }, {}], failed(1002)],
    ['a length of two bytes for one', [bytes('81 fe 0001 00000000 61')], failed(1002)],
    ['a length of eight bytes for two', [bytes('81 ff 0000000000000080 00000000')], failed(1002)],
    ['the highest bit of a length', [{ length: 2n ** 63n }], failed(1002, 1009)],
    ['a message over the limit', [{ length: 1001 }], failed(1009)],
    [
      'fragments over the limit',
      [
        { payload: 'x'.repeat(1000), fin: false },
        { kind: 'continuation', payload: 'x' },
      ],
      failed(1009),
    ],
    ['text that is not UTF-8', [{ payload: bytes('ff') }], failed(1007)],
    ['a close of one byte', [{ kind: 'close', payload: 'x' }], failed(1002)],
    ['a close with 1005', [{ kind: 'close', payload: bytes('03ed') }], failed(1002)],
    ['a close with 2999', [{ kind: 'close', payload: bytes('0bb7') }], failed(1002)],
    ['a close with a wrong reason', [{ kind: 'close', payload: bytes('03e8 ff') }], failed(1007)],
    ['a close', [{ kind: 'close' }], { state: 'closed', code: 1005 }],
    ['a close with a code', [{ kind: 'close', payload: bytes('0fa0') }], { state: 'closed', code: 4000 }],
    [
      'a violation too many',
      Array.from({ length: MOST_VIOLATIONS }, () => ({ kind: 'binary' }) as RawFrame),
      failed(1008),
    ],
    ['half a frame', [{ length: 5 }], { state: 'waiting' }],
    ['half a header', [bytes('81')], { state: 'waiting' }],
  ]
  test.each(ends)('%s ends as the RFC says', (_, frames, end) => {
    const { end: found, messages } = of(...frames)
    expect(found).toEqual(end)
    if (end.state !== 'failed') expect(messages).toEqual([])
  })

  test('nothing after the end is read', () => {
    expect(of({ kind: 'close' }, { payload: 'too late' }).messages).toEqual([])
    expect(of({ reserved: 1 }, { payload: 'too late' }).messages).toEqual([])
  })

  test('text that is not UTF-8 may be noticed at once or at the end of its message', () => {
    const unfinished = encodeFrame({ payload: bytes('ff'), fin: false })
    expect(outcomesOf(unfinished, options).map(({ end }) => end)).toEqual([{ state: 'open' }, failed(1007)])
  })

  test('a followed deviation is allowed, and nothing else changes', () => {
    const long = bytes('81 fe 0001 00000000 61')
    const [outcome] = outcomesOf(long, { ...options, deviations: ['long-form-lengths'] })
    expect([outcome!.messages.length, outcome!.end]).toEqual([1, { state: 'open' }])
  })
})

/** The bytes at the borders of the rules of RFC 3629. */
const borders = [0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff]

test('the model of RFC 3629 accepts each character in its only form, and nothing else', () => {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  let accepted = 0
  for (let first = 0; first < 256; first++) {
    for (const second of borders) {
      for (const third of borders) {
        const sequence = Uint8Array.of(first, second, third)
        const isValid = isUtf8(sequence, true)
        if (isValid) accepted++
        if (isValid !== isDecodable(decoder, sequence)) throw new Error(`${[...sequence]}: ${isValid}`)
      }
    }
  }
  expect(accepted).toBeGreaterThan(500)
  for (const point of [0, 0x7f, 0x80, 0x7ff, 0x800, 0xd7ff, 0xe000, 0xffff, 0x10000, 0x10ffff]) {
    const whole = Buffer.from(String.fromCodePoint(point))
    expect(isUtf8(whole, true)).toBe(true)
    // A character that breaks off may continue.
    for (let length = 1; length < whole.length; length++)
      expect([isUtf8(whole.subarray(0, length), true), isUtf8(whole.subarray(0, length), false)]).toEqual([false, true])
  }
  for (const wrong of ['f4908080', 'f5808080', 'f0808080', 'f08fbfbf', 'eda080', 'edbfbf', 'fe', 'ff', 'c080'])
    expect(isUtf8(bytes(wrong), false)).toBe(false)
})

function isDecodable(decoder: TextDecoder, sequence: Uint8Array): boolean {
  try {
    decoder.decode(sequence)
    return true
  } catch {
    return false
  }
}
