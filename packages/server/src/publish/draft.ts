/** Drafts: messages on their way into a log, with who waits for what becomes of them. */
import { CodedError, type DurabilityLevel, type ParsedEnvelope, type Position } from '@arqonbus/protocol'
import type { Draft, LogDriver } from '../log/contract.ts'
import type { PublishSpan } from '../observability/tracing/spans.ts'
import type { Client, Feed } from '../state/model.ts'

/** Publishes an accepted `event` or `private` envelope. True where the log has answered already; else `settled` is called when it does. */
export type Publish = (client: Client, envelope: ParsedEnvelope, now: number, settled: () => void) => boolean

/** A message on its way, and who waits for what becomes of it. */
export type PublishDraft = Draft & {
  readonly client: Client
  /** True where the sender is told that the log has it. */
  readonly isAnswered: boolean
  /** For a private message: who hears what became of this part of it, in the sender's place. */
  readonly part: PrivatePart | undefined
  /** Its span, where the message is traced; that of a private message is the sender's affair, not that of a part. */
  readonly span: PublishSpan | undefined
  /** Called when a log that answers later has answered. */
  settled: (() => void) | undefined
  isSettled: boolean
}

/** The driver of the logs of a bus: what they hold is delivered by feeds. */
export type BusLog = LogDriver<readonly Feed[], PublishDraft>

/** A private message goes into several logs: what one of them said. */
export type PrivatePart = {
  /** It has it, or had it already; at no position where it is held for a log that is away. */
  taken(position: Position | undefined, duplicate: boolean, replicas?: number, level?: DurabilityLevel): void
  refused(error: CodedError): void
}

/** Makes a draft of an envelope. `isOwnCopy` is true where the sender gets a copy of its own, or an acknowledgement in its place. */
export type DraftOf = (
  client: Client,
  envelope: ParsedEnvelope,
  isOwnCopy: boolean,
  part?: PrivatePart,
  channelLevel?: DurabilityLevel,
  span?: PublishSpan,
  arrivedAt?: number,
) => PublishDraft

/** A fault of an envelope that only shows in context. */
export const malformed = (path: string, expected: string): CodedError =>
  new CodedError('invalid_envelope', { path, expected })
