import type { CommandParameters, CommandResult } from '@arqonbus/protocol'
import { type Address, addressText, WHOLE_ROOM } from '@arqonbus/protocol/names'
import type { Gap } from './events.ts'
import { INBOX, type Positions } from './positions.ts'

/** Parameters of a join: from where to recover, if at all (docs/protocol.md#history-and-recovery). */
export type JoinParameters = Omit<CommandParameters<'join_channel'>, 'room' | 'channel' | 'channels'>

/** The result of a join. */
export type JoinResult = Exclude<CommandResult<'join_channel'>, { results: unknown }>

/** One of the joins of a command. */
export type JoinEntry = JoinParameters & { channel: string }

/** Translates between joins and positions: the parameters of joins, and what their results say. */
export type Recovery = {
  /**
   * The join that continues after the last received message. `rooms` are those whose broadcast another entry already
   * asks for.
   */
  entryFor(address: Address, rooms: Set<string>): JoinEntry
  /** The application asked for messages that it may have received: they are new again. */
  replay(address: Address, asked: JoinParameters): void
  /** Sets the positions according to the result of a join, and reports what could not be recovered. */
  settle(address: Address, result: JoinResult, asked: JoinParameters): void
  /** The snapshot of a channel, or of all channels of a room, has been delivered. */
  endSnapshot(address: Address): void
  /** Deletes the positions of an ended subscription; `remaining` are the other subscriptions. */
  forget(address: Address, remaining: readonly Address[]): void
}

/** The part of a result that concerns one log. */
type Answer = {
  position?: string | undefined
  recovered?: boolean | undefined
  reason?: 'trimmed' | 'reset' | 'diverged' | 'too_far' | 'forbidden' | undefined
  /** True if the log was replaced and no message was missed. */
  complete?: true | undefined
}

/** The log of a room's broadcast. */
const broadcastOf = (room: string): string => addressText({ room, channel: WHOLE_ROOM })

/** Creates the recovery of a client. */
export function createRecovery(positions: Positions, onGap: (gap: Gap) => void): Recovery {
  /** The logs of a room, by channel. The inbox needs no join, so no join of a room concerns it. */
  function logsOf(room: string) {
    const logs = positions.within(`${room}:`).filter(([log]) => log !== INBOX)
    return logs.map(([log, reached]) => ({ log, channel: log.slice(room.length + 1), reached }))
  }

  /**
   * A log that no longer exists, or was not recovered and is not named in the result: it may start anew at any time.
   */
  function lose(log: string, { reason, complete }: Answer, asked: string | undefined): void {
    positions.forget(log)
    if (asked !== undefined && complete !== true)
      onGap({ address: log, reason: reason ?? 'lost', after: asked, next: asked })
  }

  function settleLog(log: string, answer: Answer, asked: string | undefined, isSnapshot = false): void {
    if (isSnapshot && answer.position !== undefined) return positions.beginSnapshot(log, answer.position)
    if (answer.recovered === true) return
    if (answer.position === undefined) {
      if (answer.recovered === false) lose(log, answer, asked)
      return
    }
    if (asked !== undefined && answer.complete !== true) {
      onGap({ address: log, reason: answer.reason ?? 'too_far', after: asked, next: answer.position })
    } else if (asked === undefined && positions.of(log) !== undefined) {
      // Joined already: the position of the head would hide messages that are still on their way.
      return
    }
    positions.start(log, answer.position)
  }

  /**
   * A room with too many channels is not recovered as a whole: messages of logs that the result does not name may be
   * missed.
   */
  function loseUnnamed(room: string, { channels = [] }: JoinResult, asked: Record<string, string>): void {
    const named = new Set(channels.map(({ channel }) => channel))
    for (const [name, position] of Object.entries(asked)) {
      const log = addressText({ room, channel: name })
      if (!named.has(log)) lose(log, { reason: 'too_far' }, position)
    }
  }

  return {
    entryFor({ room, channel }, rooms) {
      const entry: JoinEntry = { channel: addressText({ room, channel }) }
      if (channel === WHOLE_ROOM) {
        const logs = logsOf(room).filter((log) => log.channel !== WHOLE_ROOM)
        entry.since = Object.fromEntries(logs.map(({ channel, reached }) => [channel, reached.position]))
        entry.since_id = Object.fromEntries(
          logs.flatMap(({ channel, reached }) => (reached.id === undefined ? [] : [[channel, reached.id]])),
        )
      } else {
        const reached = positions.of(entry.channel)
        if (reached !== undefined) entry.since = reached.position
        if (reached?.id !== undefined) entry.since_id = reached.id
      }
      const broadcast = rooms.has(room) ? undefined : positions.of(broadcastOf(room))
      rooms.add(room)
      if (broadcast !== undefined) entry.room_since = broadcast.position
      if (broadcast?.id !== undefined) entry.room_since_id = broadcast.id
      return entry
    },

    replay({ room, channel }, { since, since_id, room_since, room_since_id }) {
      const ids = typeof since_id === 'object' ? since_id : {}
      if (typeof since === 'string') {
        positions.replay(addressText({ room, channel }), since, typeof since_id === 'string' ? since_id : undefined)
      } else {
        for (const [name, position] of Object.entries(since ?? {})) {
          positions.replay(addressText({ room, channel: name }), position, ids[name])
        }
      }
      if (room_since !== undefined) positions.replay(broadcastOf(room), room_since, room_since_id)
    },

    settle({ room, channel }, result, { since, room_since, snapshot }) {
      const isSnapshot = snapshot !== undefined
      if (channel === WHOLE_ROOM) {
        const asked = typeof since === 'object' ? since : {}
        for (const one of result.channels ?? [])
          settleLog(one.channel, one, asked[one.channel.slice(room.length + 1)], isSnapshot)
        if (result.recoverable === false) loseUnnamed(room, result, asked)
      } else {
        settleLog(result.channel, result, typeof since === 'string' ? since : undefined, isSnapshot)
      }
      const {
        room_position: position,
        room_recovered: recovered,
        room_reason: reason,
        room_complete: complete,
      } = result
      settleLog(broadcastOf(room), { position, recovered, reason, complete }, room_since)
    },

    endSnapshot({ room, channel }) {
      if (channel !== WHOLE_ROOM) return positions.endSnapshot(addressText({ room, channel }))
      for (const { log } of logsOf(room)) positions.endSnapshot(log)
    },

    forget({ room, channel }, remaining) {
      const inRoom = remaining.filter((one) => one.room === room).map((one) => one.channel)
      if (inRoom.includes(WHOLE_ROOM)) return
      for (const one of logsOf(room)) {
        const isStillHeard = one.channel === WHOLE_ROOM ? inRoom.length > 0 : inRoom.includes(one.channel)
        const wasHeardByIt = channel === WHOLE_ROOM || one.channel === WHOLE_ROOM || one.channel === channel
        if (wasHeardByIt && !isStillHeard) positions.forget(one.log)
      }
    },
  }
}
