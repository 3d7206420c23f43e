/** What is to be done in Redis, in order. */
import type { Position } from '@arqonbus/protocol'
import type { Draft } from '../contract.ts'
import type { RedisLog } from './redis-log.ts'

/** A message for a log, or, without a draft, the deletion of the log. */
export type Operation<Subject, D extends Draft> = {
  readonly log: RedisLog<Subject, D>
  readonly draft: D | undefined
  /** The draft again while its sender waits for an outcome; undefined where there is nobody to be told. */
  readonly owner: D | undefined
  readonly bytes: number
  /** True from when its outcome was told. */
  isTold: boolean
  /** Where it was announced, if that came ahead of the answer to its call. */
  announcedAt: Position | undefined
}

/** A message whose sender waits. */
export const messageOf = <Subject, D extends Draft>(log: RedisLog<Subject, D>, draft: D): Operation<Subject, D> => ({
  log,
  draft,
  owner: draft,
  bytes: bytesOf(draft),
  isTold: false,
  announcedAt: undefined,
})

/** The deletion of a log. */
export const deletionOf = <Subject, D extends Draft>(log: RedisLog<Subject, D>): Operation<Subject, D> => ({
  log,
  draft: undefined,
  owner: undefined,
  bytes: 0,
  isTold: false,
  announcedAt: undefined,
})

/** What a message takes while it waits: its text, and the objects around it. */
const bytesOf = ({ envelope: { head, body } }: Draft): number => head.length + body.length + 256
