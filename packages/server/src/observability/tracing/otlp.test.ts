import { expect, test } from 'bun:test'
import { createRequestText, spanText } from './otlp.ts'

const span = {
  traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
  spanId: '00f067aa0ba902b7',
  parentSpanId: undefined,
  name: 'publish',
  startMs: 1_795_262_403_120.25,
  endMs: 1_795_262_403_121,
  attributes: { text: 'a "b"\n', bytes: 12, absent: undefined },
  error: undefined,
}

test('a span is OTLP/JSON: nanoseconds and integers as text, without absent fields', () => {
  expect(JSON.parse(spanText(span))).toEqual({
    traceId: span.traceId,
    spanId: span.spanId,
    flags: 0x101,
    name: 'publish',
    kind: 2,
    startTimeUnixNano: '1795262403120250000',
    endTimeUnixNano: '1795262403121000000',
    attributes: [
      { key: 'text', value: { stringValue: 'a "b"\n' } },
      { key: 'bytes', value: { intValue: '12' } },
    ],
    status: {},
  })
})

test('a span with a parent and an error contains both', () => {
  const read = JSON.parse(spanText({ ...span, parentSpanId: '00f067aa0ba902b8', error: 'room_paused' }))
  expect([read.parentSpanId, read.flags, read.status]).toEqual([
    '00f067aa0ba902b8',
    0x301,
    { code: 2, message: 'room_paused' },
  ])
  expect(read.attributes.at(-1)).toEqual({ key: 'error.type', value: { stringValue: 'room_paused' } })
})

test('an export request has all spans under one resource', () => {
  const text = createRequestText({ 'service.name': 'a"b' }, { name: 'arqonbus', version: '1.2.3' })
  expect(JSON.parse(text(['{"n":1}', '{"n":2}']))).toEqual({
    resourceSpans: [
      {
        resource: { attributes: [{ key: 'service.name', value: { stringValue: 'a"b' } }] },
        scopeSpans: [{ scope: { name: 'arqonbus', version: '1.2.3' }, spans: [{ n: 1 }, { n: 2 }] }],
      },
    ],
  })
})
