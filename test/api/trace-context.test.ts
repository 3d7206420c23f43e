/** W3C Trace Context of HTTP requests: it becomes that of the message, and of its span. */
import { afterAll, expect, test } from 'bun:test'
import { startBus, textOf } from '@arqonbus/testing'
import { startCollector } from '../support/collector.ts'
import { caller, messagesOf } from './call.ts'

const collector = startCollector()
afterAll(() => collector.stop())
const bus = await startBus({ otelExporterOtlpEndpoint: collector.url, otelBspScheduleDelay: 1 })
const call = caller(bus.httpUrl)
const reader = await bus.as('reader', 'trace:a')

const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
const tracestate = 'congo=t61rcWkgMzE,rojo@eu=00f067aa0ba902b7'
const publish = (body: string, headers: Record<string, string>) => call(messagesOf('trace', 'a'), { body, headers })
/** The metadata of the message, but for its position, as text. */
const metadataOf = async (body: string, headers: Record<string, string>): Promise<string> => {
  const { status, body: answer } = await publish(body, headers)
  expect([body, status]).toEqual([body, 201])
  const frame = await reader.next(({ id }) => id === answer.id)
  return /"metadata":(\{.*),?"position":"[0-9-]+"\}\}$/.exec(textOf(frame))![1]!
}

test('the trace of a request becomes that of its message, which is a child of the span in it', async () => {
  const { body } = await publish('{"payload":{}}', { traceparent, tracestate })
  const frame = await reader.next(({ id }) => id === body.id)
  expect(frame.metadata).toEqual({ traceparent, tracestate, position: body.position })
  const span = await collector.span(({ attributes }) => attributes['messaging.message.id'] === body.id)
  expect(span).toMatchObject({
    traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
    parentSpanId: '00f067aa0ba902b7',
  })
})

test('the trace of a request is added to the metadata of its message, which stay as they were written', async () => {
  const own = '{ "big":12345678901234567890, "a":"\\u00e9" '
  const with_ = (metadata: string) => `{"payload":{} , "metadata":${metadata} }`
  const added = `"traceparent":"${traceparent}"`
  expect(await metadataOf(with_(`${own}}`), { traceparent })).toBe(`{${added},${own.slice(1)},`)
  expect(await metadataOf(with_('{ }'), { traceparent })).toBe(`{${added} ,`)
  // As many keys as are searched and not parsed.
  const many = Array.from({ length: 3000 }, (_, n) => `"key${n}":0`).join()
  expect(await metadataOf(with_(`{${many}}`), { traceparent })).toBe(`{${added},${many},`)
  const envelope = `{"metadata":{"x":1},"channel":"a","payload":{}}`
  expect(await metadataOf(envelope, { traceparent })).toBe(`{${added},"x":1,`)
})

test('the trace that a message names itself counts, in any spelling of its key', async () => {
  const other = traceparent.replace('4', '5')
  const body = `{"payload":{},"metadata":{"traceparent":"${other}"}}`
  expect(await metadataOf(body, { traceparent, tracestate })).toBe(`{"traceparent":"${other}",`)
  const state = '{"payload":{},"metadata":{"tracestat\\u0065":"a=b"}}'
  expect(await metadataOf(state, { traceparent, tracestate })).toBe('{"tracestat\\u0065":"a=b",')
})

test('a trace that is invalid is ignored, and so is its state', async () => {
  const zeros = '0'.repeat(32)
  const wrong = [
    '',
    'x',
    traceparent.toUpperCase(),
    traceparent.slice(0, -1),
    `${traceparent}-more`,
    `ff${traceparent.slice(2)}`,
    traceparent.replace(/4bf[0-9a-f]+/, zeros),
    traceparent.replace('00f067aa0ba902b7', zeros.slice(16)),
    `${traceparent}, ${traceparent}`,
  ]
  for (const one of wrong) {
    const { body } = await publish('{"payload":{}}', { traceparent: one, tracestate })
    const { metadata } = await reader.next(({ id }) => id === body.id)
    expect([one, metadata]).toEqual([one, { position: body.position }])
  }
  const states = [
    'no-value',
    'a=b,a=c',
    'UPPER=x',
    'a=b=c',
    `a=${'x'.repeat(600)}`,
    Array.from({ length: 33 }, (_, n) => `k${n}=v`).join(),
  ]
  for (const one of states) {
    const { body } = await publish('{"payload":{}}', { traceparent, tracestate: one })
    const { metadata } = await reader.next(({ id }) => id === body.id)
    expect([one, metadata]).toEqual([one, { traceparent, position: body.position }])
  }
  const later = `cc${traceparent.slice(2)}-what-comes`
  expect(await metadataOf('{"payload":{}}', { traceparent: later })).toBe(`{"traceparent":"${later}",`)
})

test('what is wrong with a message is refused as such with a trace, too', async () => {
  for (const body of [
    '{}',
    '[]',
    '{"payload":{},"metadata":7}',
    '{"payload":{},"metadata":{},"metadata":{}}',
    '{"payload":{}} x',
  ])
    expect([body, (await publish(body, { traceparent })).status]).toEqual([body, 400])
})

test('the messages of a batch, and a command, belong to the trace of their request', async () => {
  const messages = [1, 2].map((n) => ({ room: 'trace', channel: 'a', payload: { n } }))
  const { body } = await call('/messages', { body: JSON.stringify({ messages }), headers: { traceparent } })
  for (const { id } of body.results) {
    expect((await reader.next((frame) => frame.id === id)).metadata?.traceparent).toBe(traceparent)
    const span = await collector.span(({ attributes }) => attributes['messaging.message.id'] === id)
    expect(span.parentSpanId).toBe('00f067aa0ba902b7')
  }
  const nameOf = (name: string) => collector.span((span) => span.name === `command ${name}`)
  await call('/commands/ping', { body: '{}', headers: { traceparent } })
  await call('/clients', { headers: { traceparent } })
  expect([await nameOf('ping'), await nameOf('list_clients')].map(({ parentSpanId }) => parentSpanId)).toEqual([
    '00f067aa0ba902b7',
    '00f067aa0ba902b7',
  ])
})
