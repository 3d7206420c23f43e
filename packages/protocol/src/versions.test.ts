import { describe, expect, test } from 'bun:test'
import { bothVersions, secondVersionAlone } from '../test/second-version.ts'
import { exactEnvelopes, invalidEnvelopes, textOf, validEnvelopes } from '../test/vectors.ts'
import { encodeStored } from './envelope/encode.ts'
import { readEnvelope } from './envelope/parse.ts'
import type { EnvelopeFault, ParsedEnvelope } from './envelope/parsed.ts'
import { DeliveredEnvelope } from './envelope/schema.ts'
import { compile } from './schema.ts'
import { CURRENT_VERSION, type ProtocolVersions, protocolVersions } from './versions.ts'

const read = (text: string, versions: ProtocolVersions) => readEnvelope(text, { maxDepth: 64, versions })

const envelope = (fields: Record<string, unknown>) =>
  JSON.stringify({
    version: '1.0',
    id: 'arq_1',
    type: 'event',
    room: 'science',
    channel: 'explore',
    from: 'ada',
    timestamp: '2026-11-21T12:00:00Z',
    payload: { text: 'hello' },
    ...fields,
  })

describe('version 1.0 beside a second version', () => {
  test('beside a second version every vector has the same result, apart from the versions named in refusals', () => {
    for (const { name, frame } of [...validEnvelopes, ...exactEnvelopes, ...invalidEnvelopes]) {
      const text = textOf(frame)
      const alone = read(text, protocolVersions)
      const beside = read(text, bothVersions)
      if ('fault' in alone && alone.fault === 'unsupported_version') {
        if (!text.includes('"2.0"')) expect([name, (beside as EnvelopeFault).fault]).toEqual([name, alone.fault])
      } else expect([name, beside]).toEqual([name, alone])
    }
  })

  test('a field of the second version is unknown to version 1.0', () => {
    const answer = read(envelope({ urgency: 'high' }), bothVersions)
    expect(answer).toMatchObject({ fault: 'invalid_envelope', requestId: 'arq_1', details: { path: '/urgency' } })
  })

  test('a message of the second version is delivered to version 1.0 as one of its envelopes', () => {
    const answer = read(
      envelope({ version: '2.0', urgency: 'high', metadata: { tag: 1 } }),
      bothVersions,
    ) as ParsedEnvelope
    const text = encodeStored(answer, '2026-11-21T12:00:00.000Z', '1795262400000-', 1)
    expect(compile(DeliveredEnvelope)(JSON.parse(text))).toBeUndefined()
    expect(JSON.parse(text)).toEqual({
      version: CURRENT_VERSION,
      id: 'arq_1',
      type: 'event',
      room: 'science',
      channel: 'explore',
      from: 'ada',
      timestamp: '2026-11-21T12:00:00.000Z',
      payload: { text: 'hello' },
      metadata: { tag: 1, position: '1795262400000-1' },
    })
  })
})

describe('unsupported versions', () => {
  test('an unknown version is refused, and the refusal names the known ones', () => {
    expect(read(envelope({ version: '2.0' }), protocolVersions)).toMatchObject({
      fault: 'unsupported_version',
      requestId: 'arq_1',
      details: { path: '/version', expected: 'one of "1.0"' },
    })
    expect(read(envelope({ version: '3.0' }), bothVersions)).toMatchObject({
      fault: 'unsupported_version',
      details: { expected: 'one of "1.0", "2.0"' },
    })
  })

  test('version 1.0 is refused if it is not supported, in the usual order of keys and in any other', () => {
    const frame = envelope({})
    for (const text of [frame, ` ${frame}`]) {
      expect(read(text, secondVersionAlone)).toMatchObject({ fault: 'unsupported_version', requestId: 'arq_1' })
    }
  })

  test('an envelope of the second version is judged by the rules of that version', () => {
    expect(read(envelope({ version: '2.0', urgency: 'extreme' }), bothVersions)).toMatchObject({
      fault: 'invalid_envelope',
      details: { path: '/urgency' },
    })
  })
})
