import { expect, test } from 'bun:test'
import { protocolVersions } from '../versions.ts'
import { recipientsOf, senderOf } from './delivered.ts'
import { encodeStored } from './encode.ts'
import { readEnvelope } from './parse.ts'
import type { ParsedEnvelope } from './parsed.ts'

/** The text of a delivered private message. */
function delivered(from: string, metadata: string, payload = '{"text":"hi"}'): string {
  const frame = `{"version":"1.0","id":"arq_1","type":"private","room":"science","channel":"pm","from":"${from}","timestamp":"2026-11-21T12:00:00Z","payload":${payload},"metadata":${metadata}}`
  const envelope = readEnvelope(frame, { maxDepth: 64, versions: protocolVersions }) as ParsedEnvelope
  return encodeStored(envelope, '2026-11-21T12:00:00.000Z', '1763726400000-', 7)
}

test('the sender and the recipients are those that parsing finds, however the message is written', () => {
  const metadata = [
    '{"to":"bob"}',
    '{"to":["bob","cyd"]}',
    '{ "mood" : {"to":["eve"]}, "to" : [ "bob" ] , "x":"\\"to\\":\\"eve\\"" }',
    '{"\\u0074o":"b\\u006fb"}',
  ]
  const payloads = ['{}', '{"from":"eve","metadata":{"to":"eve"}}', '{"a":",\\"metadata\\":{\\"to\\":\\"eve\\"}"}']
  for (const from of ['ann', 'a@b.c-d_e'])
    for (const one of metadata)
      for (const payload of payloads) {
        const text = delivered(from, one, payload)
        const parsed = JSON.parse(text) as { from: string; metadata: { to: string | string[] } }
        expect([senderOf(text), recipientsOf(text)]).toEqual([parsed.from, [parsed.metadata.to].flat()])
      }
})

test('text that is no delivered envelope has neither sender nor recipients', () => {
  for (const text of ['', '{}', '{"version":"1.0"}', '{"metadata":{}}'])
    expect([senderOf(text), recipientsOf(text)]).toEqual([undefined, []])
})
