import { heapStats } from 'bun:jsc'
import { describe, expect, test } from 'bun:test'
import { protocolVersions } from '../versions.ts'
import { type EnvelopeFault, type ReadEnvelope, type RouteMemory, readEnvelope } from './read.ts'

const options = { maxDepth: 64, versions: protocolVersions }

type Parts = { id?: string; type?: string; room?: string; channel?: string; from?: string; timestamp?: string }

const frame = (
  { id = 'arq_1', type = 'event', room = 'r', channel = 'c', from = 'ada', timestamp = '2026-11-21T12:00:00Z' }: Parts,
  rest = '{"a":1}}',
) =>
  `{"version":"1.0","id":"${id}","type":"${type}","room":"${room}","channel":"${channel}","from":"${from}","timestamp":"${timestamp}","payload":${rest}`

/** Reads a frame by a connection that has sent an ordinary one. */
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
  ])('is understood when it sends %j', (parts) => {
    const answer = readSecond(frame(parts)) as ReadEnvelope
    const expected = { id: 'arq_1', type: 'event', room: 'r', channel: 'c', from: 'ada', ...parts }
    const { id, type, room, channel, from } = answer
    expect({ timestamp: expected.timestamp, id, type, room, channel, from } as unknown).toEqual(expected)
    expect(answer).toEqual(readEnvelope(frame(parts), options) as ReadEnvelope)
  })

  test.each([
    ['an id without its prefix', frame({ id: '1' }), '/id'],
    ['an id of too many characters', frame({ id: `arq_${'1'.repeat(65)}` }), '/id'],
    ['an id with another character', frame({ id: 'arq_1 ' }), '/id'],
    ['a day that there is not', frame({ timestamp: '2026-02-29T12:00:00Z' }), '/timestamp'],
    ['a time without a zone', frame({ timestamp: '2026-11-21T12:00:00' }), '/timestamp'],
    ['a payload that is a list', frame({}, '[{}]}'), '/payload'],
    ['a field twice', frame({}, '{},"id":"arq_2"}'), '/id'],
    ['an unknown field', frame({}, '{},"extra":1}'), '/extra'],
    ['metadata of the server', frame({}, '{},"metadata":{"position":"1-1"}}'), '/metadata/position'],
    ['metadata twice', frame({}, '{},"metadata":{},"metadata":{}}'), '/metadata'],
    ['a private message without recipients', frame({ type: 'private', channel: 'pm' }), '/metadata'],
    ['an event to the private channel', frame({ channel: 'pm' }), '/channel'],
  ])('is refused with %s', (_, text, path) => {
    const answer = readSecond(text) as EnvelopeFault
    expect([answer.fault, answer.details.path]).toEqual(['invalid_envelope', path])
  })

  test.each([
    ['nothing behind the payload', '{"a":1}'],
    ['something behind the end', '{"a":1}}}'],
    ['a payload that is no JSON', '{"a":01}}'],
    ['a payload that never ends', '{"a":1,'],
    ['metadata that are no JSON', '{},"metadata":{"a"}}'],
  ])('is refused with %s', (_, rest) => {
    expect((readSecond(frame({}, rest)) as EnvelopeFault).fault).toBe('invalid_json')
  })
})

test('what is remembered of a connection holds no frame in memory', () => {
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
