import { describe, expect, test } from 'bun:test'
import {
  type EnvelopeFault,
  encodeLive,
  encodeStored,
  isClientId,
  isMessageId,
  isName,
  isTimestamp,
  type ParsedEnvelope,
  parseAddress,
  parsePosition,
  payloadOf,
  protocolVersions,
  readEnvelope,
} from '@arqonbus/protocol'
import { exactEnvelopes, invalidEnvelopes, names, textOf, type ValidEnvelope, validEnvelopes } from './vectors.ts'

const options = { maxDepth: 64, versions: protocolVersions }
const TIMESTAMP = '2026-11-21T12:34:56.789Z'
const POSITION = '1795264496789-7'

const read = (frame: string): ParsedEnvelope => {
  const envelope = readEnvelope(frame, options)
  if ('fault' in envelope) throw new Error(`refused: ${JSON.stringify(envelope)}`)
  return envelope
}

describe('vectors', () => {
  test('there are enough vectors of every kind', () => {
    expect(invalidEnvelopes.length).toBeGreaterThanOrEqual(150)
    expect(validEnvelopes.length).toBeGreaterThanOrEqual(50)
    expect(exactEnvelopes.length).toBeGreaterThanOrEqual(50)
  })
})

describe('invalid envelopes', () => {
  for (const { name, frame, code, path, request_id } of invalidEnvelopes) {
    test(`an invalid envelope is refused: ${name}`, () => {
      const answer = readEnvelope(textOf(frame), options) as EnvelopeFault
      expect({ code: answer.fault, request_id: answer.requestId }).toEqual({ code, request_id })
      if (path !== undefined) expect(answer.details.path).toBe(path)
      expect(JSON.stringify(answer).length).toBeLessThan(4096)
    })
  }
})

describe.each([
  ['a valid envelope is read', validEnvelopes],
  ['payload and metadata are delivered as they were written', exactEnvelopes],
])('%s', (promise, vectors) => {
  for (const vector of vectors) {
    test(`${promise}: ${vector.name}`, () => {
      const frame = textOf(vector.frame)
      const envelope = read(frame)
      expectFields(envelope, vector)
      expect(envelope.payloadText).toBe(textOf(vector.payload))
      // White space before the frame selects the careful path: both give the same result.
      expect(read(` ${frame}`)).toEqual(envelope)
      expectDelivered(encodeStored(envelope, TIMESTAMP, '1795264496789-', 7), vector)
      expectStamped(encodeLive(envelope, TIMESTAMP), vector)
    })
  }
})

function expectFields(
  envelope: ParsedEnvelope,
  { id, type, room, channel, from, payload, metadata }: ValidEnvelope,
): void {
  expect(envelope).toMatchObject({ id, type, room, channel, from })
  expect(payloadOf(envelope)).toEqual(JSON.parse(textOf(payload)))
  expect(envelope.metadata).toEqual(metadata === null ? undefined : JSON.parse(textOf(metadata)))
}

/**
 * A delivered envelope has the server's timestamp, the payload byte for byte, and the metadata with the position as the
 * last key.
 */
function expectDelivered(text: string, { id, type, room, channel, from, payload, metadata }: ValidEnvelope): void {
  const written = metadata === null ? '{' : textOf(metadata).slice(0, -1)
  const comma = /^\{\s*$/.test(written) ? '' : ','
  expect(text).toEndWith(`","payload":${textOf(payload)},"metadata":${written}${comma}"position":"${POSITION}"}}`)
  const value = JSON.parse(text) as Record<string, unknown>
  expect(Object.keys(value).sort()).toEqual(
    ['version', 'id', 'type', 'room', 'channel', 'from', 'timestamp', 'payload', 'metadata'].sort(),
  )
  expect(value).toMatchObject({ version: '1.0', id, type, room, channel, from, timestamp: TIMESTAMP })
  expect(value.payload).toEqual(JSON.parse(textOf(payload)))
  expect(value.metadata).toEqual({ ...(metadata === null ? {} : JSON.parse(textOf(metadata))), position: POSITION })
  // The result is a valid envelope again, except for the position, which only the server may set.
  expect(readEnvelope(text, options)).toMatchObject({
    fault: 'invalid_envelope',
    details: { path: '/metadata/position' },
  })
}

/** A message without a position is delivered with its metadata unchanged. */
function expectStamped(text: string, { payload, metadata }: ValidEnvelope): void {
  const written = metadata === null ? '' : `,"metadata":${textOf(metadata)}`
  expect(text).toEndWith(`","payload":${textOf(payload)}${written}}`)
  const value = JSON.parse(text) as Record<string, unknown>
  expect(value.timestamp).toBe(TIMESTAMP)
}

describe('forms', () => {
  const forms = {
    names: isName,
    client_ids: isClientId,
    message_ids: isMessageId,
    timestamps: isTimestamp,
  }
  for (const [form, accepts] of Object.entries(forms) as [keyof typeof forms, (text: string) => boolean][]) {
    test(`valid ${form} are accepted, and invalid ones are not`, () => {
      expect(names[form].valid.filter((text) => !accepts(text))).toEqual([])
      expect(names[form].invalid.filter((text) => accepts(text))).toEqual([])
    })
  }

  test('valid addresses are parsed, and invalid ones are not', () => {
    for (const { text, room, channel } of names.addresses.valid) expect(parseAddress(text)).toEqual({ room, channel })
    expect(names.addresses.invalid.filter((text) => parseAddress(text) !== undefined)).toEqual([])
  })

  test('valid positions are parsed, and invalid ones are not', () => {
    for (const { text, ms, n } of names.positions.valid) expect(parsePosition(text)).toEqual({ ms, n })
    expect(names.positions.invalid.filter((text) => parsePosition(text) !== undefined)).toEqual([])
  })
})
