import { expect, test } from 'bun:test'
import { protocolVersions, type ReadEnvelope, readEnvelope } from '@arqonbus/protocol'
import { createPrints, printsFrom } from './prints.ts'

const envelope = (id: string, from = 'ann', payload = '{"n":1}') =>
  readEnvelope(
    `{"version":"1.0","id":"${id}","type":"event","room":"a","channel":"b","from":"${from}","timestamp":"2026-01-01T00:00:00Z","payload":${payload}}`,
    { maxDepth: 64, versions: protocolVersions },
  ) as ReadEnvelope

test('nodes with one seed have the same prints, others have not', () => {
  const one = createPrints()
  const same = printsFrom(one.seed)
  const other = createPrints()
  const message = envelope('arq_1')
  expect([same.seed, same.ofId(message), same.ofContent(message)]).toEqual([
    one.seed,
    one.ofId(message),
    one.ofContent(message),
  ])
  expect(other.ofId(message)).not.toBe(one.ofId(message))
})

test('each id of each sender has a print of its own, and so has each content', () => {
  const prints = createPrints()
  const ids = ['ann', 'bob', 'an', 'na'].flatMap((from) =>
    Array.from({ length: 20_000 }, (_, i) => prints.ofId(envelope(`arq_${i}`, from))),
  )
  expect(new Set(ids).size).toBe(ids.length)
  const contents = Array.from({ length: 20_000 }, (_, i) => prints.ofContent(envelope('arq_1', 'ann', `{"n":${i}}`)))
  expect(new Set(contents).size).toBe(contents.length)
  expect(prints.ofContent(envelope('arq_2', 'bob'))).toBe(prints.ofContent(envelope('arq_1')))
})
