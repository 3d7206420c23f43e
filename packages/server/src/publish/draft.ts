/** Drafts: messages on their way into a log, with who waits for their outcome. */
import { CodedError, type ParsedEnvelope } from '@arqonbus/protocol'
import type { AppendOutcome, Draft, Log, LogDriver } from '../log/contract.ts'
import type { PublishSpan } from '../observability/tracing/spans.ts'
import type { Client, Feed } from '../state/model.ts'
import { askedLevel, askedReplicas, isAskedToAcknowledge, isMore } from './ack-request.ts'

/**
 * Publishes an accepted `event` or `private` envelope. True where it is settled when this returns; else `settled` is
 * called when it is.
 */
export type Publish = (client: Client, envelope: ParsedEnvelope, now: number, settled: () => void) => boolean

/** A message on its way into a log. Fields that are not readonly are set between `draftOf` and `appendTo`. */
export type PublishDraft = Draft & {
  readonly client: Client
  /** True where the sender is acknowledged. */
  readonly getsAcknowledgement: boolean
  requiresDurability: boolean
  wantsPosition: boolean
  arrivedAt: number | undefined
  /** For a part of a private message: gets the outcome in the sender's place. */
  part: ((outcome: AppendOutcome) => void) | undefined
  /** Its span, where the message is traced; a private message has one, and its parts have none. */
  span: PublishSpan | undefined
  /** Undefined until the log has settled it. */
  outcome: AppendOutcome | undefined
  /** Called when a log that settles later has settled it. */
  onSettled: (() => void) | undefined
}

/** The driver of the logs of a bus: what they hold is delivered by feeds. */
export type BusLog = LogDriver<readonly Feed[], PublishDraft>

/**
 * Creates the draft of an envelope. `isOwnCopy` is true where the sender gets a copy of its own, or an acknowledgement
 * in its place.
 */
export function draftOf(client: Client, envelope: ParsedEnvelope, isOwnCopy: boolean): PublishDraft {
  // A caller by HTTP waits for the outcome.
  const isAcknowledged = isAskedToAcknowledge(envelope) || client.caller !== undefined
  // In place of its own copy the sender gets an acknowledgement, so that its count of `n` has no hole.
  const getsAcknowledgement = isAcknowledged || (isOwnCopy && !client.echo)
  return {
    client,
    account: client.account,
    envelope,
    deduplicated: isAcknowledged,
    requiresDurability: isMore(askedLevel(envelope)) || askedReplicas(envelope) > 0,
    wantsPosition: getsAcknowledgement,
    arrivedAt: undefined,
    getsAcknowledgement,
    part: undefined,
    span: undefined,
    outcome: undefined,
    onSettled: undefined,
  }
}

/** Appends a draft; the result and `settled` are those of `Publish`. */
export function appendTo(log: Log<PublishDraft>, draft: PublishDraft, settled: () => void): boolean {
  log.append(draft)
  if (draft.outcome !== undefined) return true
  draft.onSettled = settled
  return false
}

/** A fault of an envelope that only shows in context. */
export const malformed = (path: string, expected: string): CodedError =>
  new CodedError('invalid_envelope', { path, expected })
