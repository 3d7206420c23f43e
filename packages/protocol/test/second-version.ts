/** A second version of the protocol, as a later one might be: everything of 1.0, and a field that 1.0 does not know (SC-009). */
import { compile, Envelope, type ProtocolVersions, protocolVersions } from '@arqonbus/protocol'

const Envelope2 = {
  ...Envelope,
  properties: { ...Envelope.properties, version: { const: '2.0' }, urgency: { enum: ['low', 'high'] } },
}

/** The table of a bus that speaks both. */
export const bothVersions: ProtocolVersions = new Map([
  ...protocolVersions,
  ['2.0', { version: '2.0', subprotocol: 'arqonbus.v2', check: compile(Envelope2) }],
])

/** The table of a bus of some later day, which has left 1.0 behind. */
export const secondVersionAlone: ProtocolVersions = new Map([['2.0', bothVersions.get('2.0')!]])
