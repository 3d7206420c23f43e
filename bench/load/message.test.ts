import { expect, test } from 'bun:test'
import { clientIdOf, createMessageForm, type MessageShape, positionNumber } from './message.ts'

const shapes: MessageShape[] = [
  { bytes: 250, filling: 'text', ack: false },
  { bytes: 250, filling: 'text', ack: true },
  { bytes: 16_384, filling: 'tree', ack: false },
]

test.each(shapes)('values written into %p are read back from the same places', (shape) => {
  const form = createMessageForm(shape)
  const frames = form.framesFor(7, clientIdOf(7), 2)
  frames.write(0, 41, '2026-05-06T07:08:09.010Z')
  frames.write(1, 42, '2026-05-06T07:08:09.011Z')
  const size = frames.first(1).length
  const text = envelopeOf(frames.first(2).subarray(size))
  const envelope = JSON.parse(text)
  expect(envelope).toMatchObject({ from: 'load-00007', timestamp: '2026-05-06T07:08:09.011Z' })
  expect(text.length).toBeGreaterThanOrEqual(shape.bytes)

  const delivered = Buffer.from(`##${JSON.stringify({ ...envelope, timestamp: '2026-11-12T13:14:15.016Z' })}`)
  expect(form.isMessage(delivered, 2)).toBe(true)
  expect(form.publisher(delivered, 2)).toBe(7)
  expect(form.sequence(delivered, 2)).toBe(42)
  expect(form.payloadIntact(delivered, 2)).toBe(true)
})

test('a message goes to the channel that its frames were made for', () => {
  const frames = createMessageForm(shapes[1]!).framesFor(3, clientIdOf(3), 2, 'ch07')
  frames.write(0, 1, '2026-05-06T07:08:09.010Z')
  frames.write(1, 2, '2026-05-06T07:08:09.010Z')
  expect(JSON.parse(envelopeOf(frames.first(1)))).toMatchObject({ room: 'bench', channel: 'ch07', from: 'load-00003' })
})

test('a payload changed in one place is not intact', () => {
  const form = createMessageForm(shapes[0]!)
  const frames = form.framesFor(0, clientIdOf(0), 1)
  frames.write(0, 5, '2026-05-06T07:08:09.010Z')
  const text = envelopeOf(frames.first(1))
  expect(form.payloadIntact(Buffer.from(text), 0)).toBe(true)
  expect(form.payloadIntact(Buffer.from(text.replace('xxx', 'xyx')), 0)).toBe(false)
  expect(form.payloadIntact(Buffer.from(text.replace('"count":"000000005', '"count":"000000006')), 0)).toBe(false)
})

test('the number of a position is read only from the end of a frame', () => {
  const numberOf = (text: string) => positionNumber(Buffer.from(text), text.length)
  expect(numberOf('{"metadata":{"ack":true,"position":"1795000000000-1234567"}}')).toBe(1234567)
  expect(numberOf('{"payload":{"text":"12"}}')).toBe(0)
  expect(numberOf('{"payload":{}}')).toBe(0)
})

function envelopeOf(frame: Buffer): string {
  return frame.toString('utf8', frame.indexOf('{'))
}
