/** A hypothetical second version of the protocol: 1.0 with one more field (SC-009). */
import { compileAll, Envelope, type ProtocolVersions, protocolVersions } from '@arqonbus/protocol'

const Envelope2 = {
  ...Envelope,
  properties: { ...Envelope.properties, version: { const: '2.0' }, urgency: { enum: ['low', 'high'] } },
}

/** The versions of a bus that supports both. */
export const bothVersions: ProtocolVersions = new Map([
  ...protocolVersions,
  ['2.0', { version: '2.0', subprotocol: 'arqonbus.v2', faultsOf: compileAll(Envelope2) }],
])

/** The versions of a later bus that no longer supports 1.0. */
export const secondVersionAlone: ProtocolVersions = new Map([['2.0', bothVersions.get('2.0')!]])
