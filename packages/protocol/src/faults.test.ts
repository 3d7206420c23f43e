import { describe, expect, test } from 'bun:test'
import type { TSchema } from 'typebox'
import {
  commands,
  compile,
  compileAll,
  Envelope,
  type EnvelopeFault,
  faultsIn,
  MOST_FAULTS,
  protocolVersions,
  readEnvelope,
  TelemetryEvent,
} from './index.ts'

const options = { maxDepth: 64, versions: protocolVersions }
const good = {
  version: '1.0',
  id: 'arq_1',
  type: 'event',
  room: 'a',
  channel: 'b',
  from: 'ada',
  timestamp: '2026-11-21T12:00:00Z',
  payload: {},
}
const refusalOf = (frame: string | object) =>
  readEnvelope(typeof frame === 'string' ? frame : JSON.stringify(frame), options) as EnvelopeFault
const placesOf = (frame: string | object) => faultsIn(refusalOf(frame).details).map(({ path }) => path)

describe('the faults of a frame', () => {
  const cases: [name: string, frame: string | object, places: string[]][] = [
    ['an empty object', {}, ['/version', '/id', '/type', '/room', '/channel', '/from', '/timestamp', '/payload']],
    ['one wrong field', { ...good, id: 'x' }, ['/id']],
    [
      'wrong, missing and unknown fields',
      { ...good, id: 'x', timestamp: undefined, extra: 1, payload: [] },
      ['/timestamp', '/extra', '/id', '/payload'],
    ],
    [
      'several keys of metadata',
      { ...good, metadata: { ack: 'x', to: 1, position: '1-1', arq_a: 1, own: 1 } },
      ['/metadata/ack', '/metadata/arq_a', '/metadata/position', '/metadata/to'],
    ],
    [
      'a private message to another channel without recipients',
      { ...good, type: 'private', metadata: {} },
      ['/channel', '/metadata/to'],
    ],
    ['a private message without metadata', { ...good, type: 'private' }, ['/channel', '/metadata', '/metadata/to']],
    ['an unknown version and other faults', { ...good, version: '9', room: '!' }, ['/room', '/version']],
    [
      'a repeated key, one with an escape and a wrong one',
      JSON.stringify({ ...good, id: 'x' })
        .replace('"room"', '"room":"a","room"')
        .replace('"from"', '"fr\\u006fm"'),
      ['/from', '/id', '/room'],
    ],
    [
      'a repeated key of the metadata and a wrong field',
      `${JSON.stringify({ ...good, channel: '!' }).slice(0, -1)},"metadata":{"a":1,"a":2}}`,
      ['/channel', '/metadata/a'],
    ],
    ['no object', '[]', ['']],
  ]
  test.each(cases)('the refusal of a frame lists all of its faults: %s', (_, frame, places) => {
    expect(placesOf(frame).toSorted()).toEqual(places.toSorted())
  })

  test('a single fault is not listed again', () => {
    expect(refusalOf({ ...good, room: '!' }).details).toEqual({ path: '/room', expected: expect.any(String) })
  })

  test('the first of several faults is where a single one is', () => {
    const { path, expected, faults } = refusalOf({ ...good, id: 'x', room: '!' }).details
    expect(faults).toHaveLength(2)
    expect((faults as unknown[])[0]).toEqual({ path, expected })
  })

  test('the fault of a missing field says what is expected there', () => {
    for (const { path, expected } of faultsIn(refusalOf({}).details))
      expect([path, expected]).toEqual([path, expect.stringMatching(/^to be present: .{5}/)])
  })

  test('a refusal lists at most 16 faults', () => {
    const unknown = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`extra${i}`, i]))
    expect(MOST_FAULTS).toBe(16)
    expect(placesOf({ ...good, ...unknown })).toHaveLength(16)
  })

  test('of a frame with very many members only the first fault is reported', () => {
    const unknown = Object.fromEntries(Array.from({ length: 2000 }, (_, i) => [`extra${i}`, i]))
    expect(refusalOf({ ...good, ...unknown, id: 'x' }).details).not.toHaveProperty('faults')
  })

  test('a frame is not changed by the search for its faults', () => {
    const frame = { ...good, id: 'x', metadata: { ack: 'x', to: [1, 'a'] } }
    const before = JSON.stringify(frame)
    expect(compileAll(Envelope)(frame)).toHaveLength(3)
    expect(JSON.stringify(frame)).toBe(before)
  })
})

test('all faults of the entries of a list are reported', () => {
  const faultsOf = compileAll(commands.join_channel.parameters)
  const channels = [{ channel: '!', since: 'x' }, { channel: 'a:b' }, { room: '!', extra: 1 }]
  const places = faultsOf({ channels, other: 1 }).map(({ path }) => path)
  expect(places.toSorted()).toEqual([
    '/channels/0/channel',
    '/channels/0/since',
    '/channels/2/extra',
    '/channels/2/room',
    '/other',
  ])
})

/** Every schema whose faults the bus lists. */
const schemas: [name: string, schema: TSchema][] = [
  ['the envelope', Envelope],
  ['a telemetry event', TelemetryEvent],
  ...Object.values(commands).map(({ name, parameters }): [string, TSchema] => [name, parameters]),
]

test.each(schemas)('the search for faults reports every wrong and missing field: %s', (_, schema) => {
  const { properties, required = [] } = schema as unknown as { properties: object; required?: string[] }
  const wrong = Object.keys(properties)
  const faultsOf = compileAll(schema)
  // No field accepts this.
  const places = faultsOf({ ...Object.fromEntries(wrong.map((name) => [name, ['', '']])), unknown: 1 }).map(
    ({ path }) => path.split('/')[1]!,
  )
  expect([...new Set(places)].toSorted()).toEqual([...wrong, 'unknown'].toSorted())
  expect(
    faultsOf({})
      .map(({ path }) => path.slice(1))
      .toSorted(),
  ).toEqual(required.toSorted())
  expect(faultsOf({})[0]?.path).toBe(compile(schema)({})?.path)
})
