import { expect, test } from 'bun:test'
import { type ParsedEnvelope, protocolVersions, readEnvelope } from '@arqonbus/protocol'
import { ContentDigests, Digest, newSeed } from './digest.ts'

const seed = newSeed()

const of = (...texts: string[]): string => {
  const digest = new Digest(seed).start()
  for (const text of texts) digest.add(text)
  return `${digest.low} ${digest.high}`
}

/** The digest of the content of an event. */
function ofContent(payload: string, metadata?: string): string {
  const text =
    `{"version":"1.0","id":"arq_1","type":"event","room":"a","channel":"b","from":"ann","timestamp":"2026-01-01T00:00:00Z","payload":${payload}` +
    `${metadata === undefined ? '' : `,"metadata":${metadata}`}}`
  const envelope = readEnvelope(text, { maxDepth: 64, versions: protocolVersions }) as ParsedEnvelope
  const { low, high } = new ContentDigests(seed).of(envelope)
  return `${low} ${high}`
}

test('equal texts have equal digests, others do not, and text boundaries matter', () => {
  expect(of('ann', 'arq_1')).toBe(of('ann', 'arq_1'))
  const all = [
    of(),
    of(''),
    of('', ''),
    of('ab', 'c'),
    of('a', 'bc'),
    of('abc'),
    of('abc', ''),
    of('', 'abc'),
    of('c', 'ab'),
  ]
  expect(new Set(all).size).toBe(all.length)
})

test('100,000 similar texts have different digests with evenly spread low bits', () => {
  const seen = new Set<string>()
  const slots = new Uint32Array(1024)
  for (let i = 0; i < 100_000; i++) {
    const digest = new Digest(seed).start().add('science:general@1').add('ann').add(`arq_${i}`)
    seen.add(`${digest.low} ${digest.high}`)
    slots[digest.low & 1023]!++
  }
  expect(seen.size).toBe(100_000)
  // 98 a slot on average; by chance alone hardly ever over 150.
  expect(Math.max(...slots)).toBeLessThan(160)
})

test('no digest is all zeros, which marks a free slot', () => {
  const digest = new Digest(seed)
  for (let i = 0; i < 10_000; i++) expect(digest.start().add(`${i}`).high).not.toBe(0)
})

test('the content digest covers the payload as written and the metadata in any order', () => {
  expect(ofContent('{"a":1}')).toBe(ofContent('{"a":1}'))
  expect(ofContent('{"a":1}')).not.toBe(ofContent('{"a":1.0}'))
  expect(ofContent('{"a":12345678901234567890}')).not.toBe(ofContent('{"a":12345678901234567891}'))
  expect(ofContent('{}', '{"a":1,"b":[2]}')).toBe(ofContent('{}', '{"b":[2],"a":1}'))
  expect(ofContent('{}', '{"a":1}')).not.toBe(ofContent('{}', '{"a":2}'))
  expect(ofContent('{}', '{"a":1}')).not.toBe(ofContent('{}'))
})

test('the content digest ignores how a message is acknowledged and traced', () => {
  expect(ofContent('{}', '{"ack":true,"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}')).toBe(
    ofContent('{}'),
  )
  expect(ofContent('{}', '{"ack":"memory","a":1}')).toBe(ofContent('{}', '{"a":1}'))
})
