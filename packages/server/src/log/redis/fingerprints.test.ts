import { expect, test } from 'bun:test'
import { type ParsedEnvelope, protocolVersions, readEnvelope } from '@arqonbus/protocol'
import { createFingerprints, fingerprintsFrom } from './fingerprints.ts'

const envelope = (id: string, from = 'ann', payload = '{"n":1}') =>
  readEnvelope(
    `{"version":"1.0","id":"${id}","type":"event","room":"a","channel":"b","from":"${from}","timestamp":"2026-01-01T00:00:00Z","payload":${payload}}`,
    { maxDepth: 64, versions: protocolVersions },
  ) as ParsedEnvelope

const halves = (prints: string): [id: string, content: string] => [
  prints.slice(0, prints.length / 2),
  prints.slice(prints.length / 2),
]

test('nodes with one seed have the same fingerprints, and others do not', () => {
  const one = createFingerprints()
  const same = fingerprintsFrom(one.seed)
  const message = envelope('arq_1')
  expect([same.seed, same.of(message)]).toEqual([one.seed, one.of(message)])
  expect(createFingerprints().of(message)).not.toBe(one.of(message))
})

test('each id of each sender has its own fingerprint, and so has each content', () => {
  const prints = createFingerprints()
  const idOf = (message: ParsedEnvelope) => halves(prints.of(message))[0]
  const contentOf = (message: ParsedEnvelope) => halves(prints.of(message))[1]
  const ids = ['ann', 'bob', 'an', 'na'].flatMap((from) =>
    Array.from({ length: 20_000 }, (_, i) => idOf(envelope(`arq_${i}`, from))),
  )
  expect(new Set(ids).size).toBe(ids.length)
  const contents = Array.from({ length: 20_000 }, (_, i) => contentOf(envelope('arq_1', 'ann', `{"n":${i}}`)))
  expect(new Set(contents).size).toBe(contents.length)
  expect(contentOf(envelope('arq_2', 'bob'))).toBe(contentOf(envelope('arq_1')))
})

test('fingerprints use every bit and no separator character', () => {
  const all = Array.from({ length: 2000 }, (_, i) => createFingerprints(Int32Array.of(i, ~i)).of(envelope('arq_1')))
  for (const text of all) expect(text).toMatch(/^[0-o]{24}$/)
  // Of six bits in a character the sixth of each number has two.
  const seen = Array.from({ length: 24 }, (_, at) => new Set(all.map((text) => text[at])).size)
  expect(seen).toEqual(Array.from({ length: 24 }, (_, at) => (at % 6 === 5 ? 4 : 64)))
})
