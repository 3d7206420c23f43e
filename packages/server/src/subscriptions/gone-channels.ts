/**
 * Channels of a room that a client has positions of, and that are not there any more: what it may have missed of them
 * (docs/protocol.md#history-and-recovery).
 */
import { type CommandResult, type Position, positionText } from '@arqonbus/protocol'
import { awaitAll, chain, type Maybe } from '../kit/maybe.ts'
import type { Closed } from '../log/contract.ts'
import { channelLog } from '../state/log-names.ts'

/** What a room-wide join says of one channel. */
export type Head = NonNullable<Extract<CommandResult<'join_channel'>, { channel: string }>['channels']>[number]

/** Finds what is known of a log that is not open. */
export type FindClosedLog = (key: string) => Maybe<Closed | undefined>

/**
 * Channels that are looked up for one join at most: a client forgets those that a reply names, and the next join names
 * the rest.
 */
const MOST_GONE = 100

/**
 * What a room-wide join says of channels that are gone, and of which the client may have missed something, or has to
 * forget its position.
 */
export function goneFrom(
  room: string,
  since: ReadonlyMap<string, Position>,
  { isThere, findClosedLog }: { isThere(name: string): boolean; findClosedLog: FindClosedLog },
): Maybe<Head[]> {
  const gone: Maybe<Head | undefined>[] = []
  for (const [name, position] of since) {
    if (isThere(name)) continue
    if (gone.length === MOST_GONE) break
    const channel = `${room}:${name}`
    // The name may have had two logs, of an open and of a private channel; the position is of one of them.
    const closed = awaitAll([
      findClosedLog(channelLog(channel, 'general')),
      findClosedLog(channelLog(channel, 'private')),
    ])
    gone.push(chain(closed, (logs) => headOf(channel, position, logs)))
  }
  return chain(awaitAll(gone), (heads) => heads.filter((head) => head !== undefined))
}

function headOf(channel: string, since: Position, logs: readonly (Closed | undefined)[]): Head | undefined {
  const isAt = (position: Position | undefined) => position?.ms === since.ms && position.n === since.n
  // It goes on from there, if it is created again.
  if (logs.some((log) => isAt(log?.head))) return undefined
  const reset = { channel, recovered: false, reason: 'reset' } as const
  if (logs.some((log) => isAt(log?.former) && (log?.head?.n ?? 0) === 0)) return { ...reset, complete: true }
  const head = logs[0]?.head
  if (head === undefined || head.n <= since.n || head.ms < since.ms) return reset
  return { channel, position: positionText(head), recovered: false, reason: 'trimmed', missed: 0 }
}
