/** What a sender asks for by `metadata.ack`, and whether that is what it got (docs/protocol.md#acknowledgement). */
import { type DurabilityLevel, durabilityLevels, type ParsedEnvelope } from '@arqonbus/protocol'
import type { AppendDurability } from '../log/contract.ts'

/** The level that the sender asks for. */
export const askedLevel = ({ metadata }: ParsedEnvelope): DurabilityLevel | undefined => {
  const ack = metadata?.ack
  return typeof ack === 'object' ? ack.level : typeof ack === 'string' ? ack : undefined
}

/** How many replicas the sender asks for. */
export const askedReplicas = ({ metadata }: ParsedEnvelope): number => {
  const ack = metadata?.ack
  return typeof ack === 'object' ? (ack.replicas ?? 0) : 0
}

/** True where the sender asks for an acknowledgement. */
export const isAskedToAcknowledge = ({ metadata }: ParsedEnvelope): boolean =>
  metadata?.ack !== undefined && metadata.ack !== false

/** True for a level that the memory of a node does not give. */
export const isMore = (level: DurabilityLevel | undefined): boolean => level !== undefined && level !== 'memory'

/** True where a level is lower than another one; undefined is lower than none. */
export const isLower = (level: DurabilityLevel, than: DurabilityLevel | undefined): boolean =>
  than !== undefined && durabilityLevels.indexOf(level) < durabilityLevels.indexOf(than)

/**
 * True where fewer replicas have a message, or its level is lower, than its sender asks for. What was not waited for is
 * undefined, and as promised.
 */
export const isLessThanAsked = (envelope: ParsedEnvelope, { replicas, level }: AppendDurability): boolean =>
  (replicas !== undefined && replicas < askedReplicas(envelope)) ||
  (level !== undefined && isLower(level, askedLevel(envelope)))
