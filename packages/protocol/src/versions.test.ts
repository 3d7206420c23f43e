import { describe, expect, test } from 'bun:test'
import { bothVersions, secondVersionAlone } from '../test/second-version.ts'
import { exactEnvelopes, invalidEnvelopes, textOf, validEnvelopes } from '../test/vectors.ts'
import { type EnvelopeFault, encodeStored, type ParsedEnvelope, readEnvelope } from './envelope/read.ts'
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

describe('beside a second version, 1.0 goes on', () => {
  test('every vector gets the same answer, but for the versions that a refusal names', () => {
    for (const { name, frame } of [...validEnvelopes, ...exactEnvelopes, ...invalidEnvelopes]) {
      const text = textOf(frame)
      const alone = read(text, protocolVersions)
      const beside = read(text, bothVersions)
      if ('fault' in alone && alone.fault === 'unsupported_version') {
        if (!text.includes('"2.0"')) expect([name, (beside as EnvelopeFault).fault]).toEqual([name, alone.fault])
      } else expect([name, beside]).toEqual([name, alone])
    }
  })

  test('a field of the second version stays unknown to it', () => {
    const answer = read(envelope({ urgency: 'high' }), bothVersions)
    expect(answer).toMatchObject({ fault: 'invalid_envelope', requestId: 'arq_1', details: { path: '/urgency' } })
  })

  test('what clients of the second version say reaches it as an envelope of its own', () => {
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

describe('a version that the table does not have', () => {
  test('is refused, and the refusal names those that it has', () => {
    expect(read(envelope({ version: '2.0' }), protocolVersions)).toEqual({
      fault: 'unsupported_version',
      requestId: 'arq_1',
      details: { path: '/version', expected: 'one of "1.0"' },
    })
    expect(read(envelope({ version: '3.0' }), bothVersions)).toMatchObject({
      fault: 'unsupported_version',
      details: { expected: 'one of "1.0", "2.0"' },
    })
  })

  test('is refused also where it is 1.0, in the usual order of keys as in any other', () => {
    const frame = envelope({})
    for (const text of [frame, ` ${frame}`]) {
      expect(read(text, secondVersionAlone)).toMatchObject({ fault: 'unsupported_version', requestId: 'arq_1' })
    }
  })

  test('is judged by the second one’s own rules where it is that', () => {
    expect(read(envelope({ version: '2.0', urgency: 'extreme' }), bothVersions)).toMatchObject({
      fault: 'invalid_envelope',
      details: { path: '/urgency' },
    })
  })
})
