import type { CommandParameters, CommandResult } from '@arqonbus/protocol'
import { type Address, addressText, WHOLE_ROOM } from '@arqonbus/protocol/names'
import type { Gap } from './events.ts'
import { INBOX, type Positions } from './positions.ts'

/** How a join is asked for: from where to recover, if at all (protocol §5). */
export type JoinParameters = Omit<CommandParameters<'join_channel'>, 'room' | 'channel' | 'channels'>

/** What a join gave. */
export type JoinResult = Exclude<CommandResult<'join_channel'>, { results: unknown }>

/** One join of several. */
export type JoinEntry = JoinParameters & { channel: string }

/** What joins have to do with positions: what they ask for, and what their results say. */
export type Recovery = {
  /** The join that goes on where the application is. `rooms` are those whose broadcast is asked for already. */
  entryFor(address: Address, rooms: Set<string>): JoinEntry
  /** The application asked for messages that it may have had: they are news again. */
  replay(address: Address, asked: JoinParameters): void
  /** Sets the positions by the result of a join; tells what could not be recovered. */
  settle(address: Address, result: JoinResult, asked: JoinParameters): void
  /** Lets go the positions that a subscription stood for; `remaining` are those that there are still. */
  forget(address: Address, remaining: readonly Address[]): void
}

/** What a join says about one log. */
type Answer = {
  position?: string | undefined
  recovered?: boolean | undefined
  reason?: 'trimmed' | 'reset' | 'diverged' | 'too_far' | undefined
  /** True where the log is another one, and nothing was missed. */
  complete?: true | undefined
}

/** The log of a room's broadcast. */
const broadcastOf = (room: string): string => addressText({ room, channel: WHOLE_ROOM })

/** Makes it. */
export function createRecovery(positions: Positions, onGap: (gap: Gap) => void): Recovery {
  /** The logs of a room, by channel. The inbox needs no join, so no join of a room concerns it. */
  function logsOf(room: string) {
    const logs = positions.within(`${room}:`).filter(([log]) => log !== INBOX)
    return logs.map(([log, reached]) => ({ log, channel: log.slice(room.length + 1), reached }))
  }

  /** A log that is not there any more, or was not recovered and is not named in the answer: it may begin anew at any time. */
  function lose(log: string, { reason, complete }: Answer, asked: string | undefined): void {
    positions.forget(log)
    if (asked !== undefined && complete !== true)
      onGap({ address: log, reason: reason ?? 'lost', after: asked, next: asked })
  }

  function settleLog(log: string, answer: Answer, asked: string | undefined): void {
    if (answer.recovered === true) return
    if (answer.position === undefined) {
      if (answer.recovered === false) lose(log, answer, asked)
      return
    }
    if (asked !== undefined && answer.complete !== true) {
      onGap({ address: log, reason: answer.reason ?? 'too_far', after: asked, next: answer.position })
    } else if (asked === undefined && positions.of(log) !== undefined) {
      // Joined already: the position of the head would hide what is still on its way.
      return
    }
    positions.start(log, answer.position)
  }

  /** A room that has too many channels is not recovered as a whole: whatever was asked of it and is not in the answer may be missed. */
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

    settle({ room, channel }, result, { since, room_since }) {
      if (channel === WHOLE_ROOM) {
        const asked = typeof since === 'object' ? since : {}
        for (const one of result.channels ?? []) settleLog(one.channel, one, asked[one.channel.slice(room.length + 1)])
        if (result.recoverable === false) loseUnnamed(room, result, asked)
      } else {
        settleLog(result.channel, result, typeof since === 'string' ? since : undefined)
      }
      const {
        room_position: position,
        room_recovered: recovered,
        room_reason: reason,
        room_complete: complete,
      } = result
      settleLog(broadcastOf(room), { position, recovered, reason, complete }, room_since)
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
