/** Messages to append, in short. */
import { type ParsedEnvelope, protocolVersions, readEnvelope } from '@arqonbus/protocol'
import { Account, type Draft, Source } from '@arqonbus/server'

/** A message in short. */
export type Message = {
  id?: string
  from?: string
  payload?: string
  metadata?: Record<string, unknown>
  ack?: boolean
  stored?: boolean
}

const accounts = new Map<string, Account>()
const accountOf = (from: string) => accounts.getOrInsertComputed(from, () => new Account(from, new Source(from)))

/** A draft of an event; with `ack` it is remembered, with `stored` memory is not enough for it. */
export function draftOf({
  id = 'arq_1',
  from = 'ann',
  payload = '{}',
  metadata,
  ack = false,
  stored = false,
}: Message): Draft {
  const withAck = ack ? { ack: true, ...metadata } : metadata
  const text =
    `{"version":"1.0","id":"${id}","type":"event","room":"a","channel":"a","from":"${from}","timestamp":"2026-01-01T00:00:00Z",` +
    `"payload":${payload}${withAck === undefined ? '' : `,"metadata":${JSON.stringify(withAck)}`}}`
  const envelope = readEnvelope(text, { maxDepth: 64, versions: protocolVersions })
  if ('fault' in envelope) throw new Error(JSON.stringify(envelope))
  return {
    envelope: envelope as ParsedEnvelope,
    account: accountOf(from),
    deduplicated: ack,
    requiresDurability: stored,
    wantsPosition: true,
  }
}
