import { heapStats } from 'bun:jsc'
import { describe, expect, test } from 'bun:test'
import { protocolVersions } from '../versions.ts'
import { encodeStored } from './encode.ts'
import { type RouteMemory, readEnvelope, readInPieces } from './parse.ts'
import type { EnvelopeFault, ParsedEnvelope } from './parsed.ts'

const options = { maxDepth: 64, versions: protocolVersions }

type Parts = { id?: string; type?: string; room?: string; channel?: string; from?: string; timestamp?: string }

const frame = (
  { id = 'arq_1', type = 'event', room = 'r', channel = 'c', from = 'ada', timestamp = '2026-11-21T12:00:00Z' }: Parts,
  rest = '{"a":1}}',
) =>
  `{"version":"1.0","id":"${id}","type":"${type}","room":"${room}","channel":"${channel}","from":"${from}","timestamp":"${timestamp}","payload":${rest}`

/** Parses a frame of a connection that has sent an ordinary one before. */
function readSecond(text: string) {
  const memory: RouteMemory = { lastRoute: undefined }
  readEnvelope(frame({}), options, memory)
  expect(memory.lastRoute).toBeDefined()
  return readEnvelope(text, options, memory)
}

describe('a connection whose last frame went from ada to r:c', () => {
  test.each<Parts>([
    {},
    { id: 'arq_of-another-length' },
    { timestamp: '2024-02-29T23:59:59.999+05:45' },
    { timestamp: '2016-12-31T23:59:60Z' },
    { channel: 'c2' },
    { channel: '*' },
    { room: 'r2' },
    { type: 'telemetry' },
    { type: 'command' },
    { type: 'system' },
    { from: 'adam' },
    { from: 'ad' },
  ])('a connection whose last frame went from ada to r:c is understood when it sends %j', (parts) => {
    const answer = readSecond(frame(parts)) as ParsedEnvelope
    const expected = { id: 'arq_1', type: 'event', room: 'r', channel: 'c', from: 'ada', ...parts }
    const { id, type, room, channel, from } = answer
    expect({ timestamp: expected.timestamp, id, type, room, channel, from } as unknown).toEqual(expected)
    expect(answer).toEqual(readEnvelope(frame(parts), options) as ParsedEnvelope)
  })

  test.each([
    ['an id without its prefix', frame({ id: '1' }), '/id'],
    ['an id of too many characters', frame({ id: `arq_${'1'.repeat(65)}` }), '/id'],
    ['an id with another character', frame({ id: 'arq_1 ' }), '/id'],
    ['a day that does not exist', frame({ timestamp: '2026-02-29T12:00:00Z' }), '/timestamp'],
    ['a time that does not exist', frame({ timestamp: '2026-11-21T25:00:00' }), '/timestamp'],
    ['a payload that is a list', frame({}, '[{}]}'), '/payload'],
    ['a repeated field', frame({}, '{},"id":"arq_2"}'), '/id'],
    ['an unknown field', frame({}, '{},"extra":1}'), '/extra'],
    ['metadata of the server', frame({}, '{},"metadata":{"position":"1-1"}}'), '/metadata/position'],
    ['repeated metadata', frame({}, '{},"metadata":{},"metadata":{}}'), '/metadata'],
    ['a private message without recipients', frame({ type: 'private', channel: 'pm' }), '/metadata'],
    ['an event to the private channel', frame({ channel: 'pm' }), '/channel'],
  ])('a frame after one from ada to r:c is refused with %s', (_, text, path) => {
    const answer = readSecond(text) as EnvelopeFault
    expect([answer.fault, answer.details.path]).toEqual(['invalid_envelope', path])
  })

  test.each([
    ['nothing after the payload', '{"a":1}'],
    ['text after the end', '{"a":1}}}'],
    ['a payload that is not JSON', '{"a":01}}'],
    ['a payload that never ends', '{"a":1,'],
    ['metadata that is not JSON', '{},"metadata":{"a"}}'],
  ])('a frame after one from ada to r:c is refused as invalid JSON with %s', (_, rest) => {
    expect((readSecond(frame({}, rest)) as EnvelopeFault).fault).toBe('invalid_json')
  })
})

describe('frames with very many keys', () => {
  const many = Array.from({ length: 3000 }, (_, i) => `"more${i}":[${i}]`).join(',')
  const head =
    '"version":"1.0","id":"arq_1","type":"event","room":"a","channel":"b","from":"c","timestamp":"2026-11-21T12:00:00Z"'
  const orders: ((payload: string, metadata: string) => string)[] = [
    (payload, metadata) => `{${head},"payload":${payload},"metadata":${metadata}}`,
    (payload, metadata) => ` { "metadata" : ${metadata} , "payload":${payload},${head}} `,
  ]
  const payloads = ['{}', '{"a":1}', '{"a":1,"a":2}', '[1]', 'null', '{"a":01}', '{"a":"\\x"}']
  const metadata = [
    '{}',
    '{"ack":true}',
    '{"ack":{"level":"disk","replicas":1},"to":["a","b"],"cause":"arq_2","key":"k"}',
    '{"ack":"certainly"}',
    '{"to":[]}',
    '{"position":"1-1"}',
    '{"provisional":true}',
    '{"arq_x":1}',
    '{"traceparent":"no"}',
    '{"\\u0061ck":7}',
    '{"ack":true,"ack":false}',
    '{"x":1,"\\u0078":2}',
    '[]',
    '{"ack":true',
  ]
  const grown = (object: string) =>
    object.startsWith('{') && object.endsWith('}')
      ? `${object.slice(0, -1)}${object === '{}' ? '' : ','}${many}}`
      : object
  const outcomeOf = (text: string) => {
    const read = readEnvelope(text, options)
    if ('fault' in read) return { fault: read.fault, requestId: read.requestId, path: read.details.path }
    const { metadata: own, suffix, payloadText, ...rest } = read
    const busKeys = Object.entries(own ?? {}).filter(([key]) => !key.startsWith('more'))
    return {
      ...rest,
      glue: undefined,
      own: Object.fromEntries(busKeys),
      payloadText: payloadText.replace(/,?"more.*/, '}'),
    }
  }

  test.each(orders)('frames with very many keys are parsed like small ones, in any order of keys (%#)', (frameOf) => {
    for (const payload of payloads)
      for (const own of metadata) {
        const small = outcomeOf(frameOf(payload, own))
        for (const large of [
          frameOf(grown(payload), own),
          frameOf(payload, grown(own)),
          frameOf(grown(payload), grown(own)),
        ])
          expect([payload, own, outcomeOf(large)]).toEqual([payload, own, small])
      }
  })

  test('a frame with very many keys is delivered as it was sent, byte for byte', () => {
    const [payload, own] = [`{${many}}`, `{"ack":true,${many}}`]
    for (const frameOf of orders) {
      const read = readEnvelope(frameOf(payload, own), options) as ParsedEnvelope
      const sealed = encodeStored(read, '2026-11-21T12:00:00.000Z', '1763726400000-', 7)
      expect(sealed).toBe(
        `{${head.replace('00Z"', '00.000Z"')},"payload":${payload},"metadata":${own.slice(0, -1)},"position":"1763726400000-7"}}`,
      )
    }
  })

  test('an extra, repeated or missing field is reported in a frame with very many keys', () => {
    const large = (rest: string) => `{${head},"payload":{${many}}${rest}}`
    const path = (text: string) => (readEnvelope(text, options) as EnvelopeFault).details.path
    expect(path(large(',"extra":{"a":1},"other":2'))).toBe('/extra')
    expect(path(large(',"room":"d"'))).toBe('/room')
    expect(path(large('').replace('"from":"c",', ''))).toBe('/from')
    expect(path(large('').replace('"room":"a"', '"room":{"a":1}'))).toBe('/room')
    expect(path(`[${large('')}]`)).toBe('')
  })
})

test('the remembered route of a connection keeps no frame in memory', () => {
  const memories: RouteMemory[] = []
  const before = heldBytes()
  for (let i = 0; i < 200; i++) {
    const memory: RouteMemory = { lastRoute: undefined }
    readEnvelope(frame({ room: `room-${i}` }, `{"a":"${'x'.repeat(64 * 1024)}"}}`), options, memory)
    memories.push(memory)
  }
  expect(heldBytes() - before).toBeLessThan(1024 * 1024)
  expect(memories.at(-1)?.lastRoute?.room).toBe('room-199')
})

function heldBytes(): number {
  Bun.gc(true)
  return heapStats().heapSize
}

test('a frame parsed in pieces means the same as one parsed at once', () => {
  const members = (count: number, last = '') =>
    `{${Array.from({ length: count }, (_, i) => `"k${i}":[{}]`).join(',')}${last}}`
  const frameOf = (type: string, rest: string) =>
    `{"version":"1.0","id":"arq_01JD8M2X4T9QZC7RB0YHVK5NWE","type":"${type}","room":"integriguard","channel":"telemetry-stream","from":"a","timestamp":"2026-11-21T12:00:00Z",${rest}}`
  const texts = ['event', 'telemetry', 'command'].flatMap((type) => [
    frameOf(type, `"payload":${members(6000)}`),
    frameOf(type, `"payload":${members(6000, ',')}`),
    frameOf(type, `"payload":{},"metadata":${members(6000)}`),
    frameOf(type, `"payload":{},"metadata":${members(6000, ',"k5999":1')}`),
    frameOf(type, `"payload":{},"metadata":${members(6000, ',"ack":7')}`),
    frameOf(type, `"metadata":${members(6000, ',"ack":true')},"payload":{"eventType":"e","payload":{}}`),
    frameOf(type, `"payload":${'['.repeat(100)}${members(6000)}${']'.repeat(100)}`),
    members(6000),
  ])
  for (const text of texts) {
    let pieces = 1
    const reading = readInPieces(text, options)
    let piece = reading.next()
    for (; !piece.done; piece = reading.next()) pieces++
    const { payload, ...read } = piece.value as ParsedEnvelope
    expect(read).toEqual(readEnvelope(text, options) as ParsedEnvelope)
    if ('id' in read) expect([read.type, payload === undefined]).toEqual([read.type, read.type === 'event'])
    if (!text.includes('[[[[')) expect(pieces).toBeGreaterThan(5)
  }
})
