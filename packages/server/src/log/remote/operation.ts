/** What is to be done in the store, in order. */
import type { Position } from '@arqonbus/protocol'
import type { Draft } from '../contract.ts'
import type { RemoteLog } from './remote-log.ts'

/** A message for a log, or, without a draft, the deletion of the log. */
export type Operation<Subject, D extends Draft> = {
  readonly log: RemoteLog<Subject, D>
  readonly draft: D | undefined
  /** The draft while it has no outcome; undefined once it has one, because it was queued or its outcome is unknown. */
  readonly unsettledDraft: D | undefined
  readonly bytes: number
  /** True from when the store has said what became of it, by reply or by announcement. */
  hasReply: boolean
  /** Where it was announced, if that came ahead of the reply to its call. */
  announcedAt: Position | undefined
}

/** A message that has no outcome yet; without a draft, the deletion of the log. */
export const operationOf = <Subject, D extends Draft>(
  log: RemoteLog<Subject, D>,
  draft: D | undefined,
): Operation<Subject, D> => ({
  log,
  draft,
  unsettledDraft: draft,
  bytes: draft === undefined ? 0 : bytesOf(draft),
  hasReply: false,
  announcedAt: undefined,
})

/** What a message takes while it waits: its text, and the objects around it. */
const bytesOf = ({ envelope: { prefix, suffix } }: Draft): number => prefix.length + suffix.length + 256
