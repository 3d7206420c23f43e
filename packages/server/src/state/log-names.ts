/**
 * The names of logs, and what each log belongs to. They are part of what is stored: one that changes is not found any
 * more.
 */
import { WHOLE_ROOM } from '@arqonbus/protocol'
import type { ChannelType } from './model.ts'

/**
 * The log of a channel. A private channel and an open one of its name share nothing: a client that may not enter the
 * one cannot read it through the other, made where the first is not known.
 */
export const channelLog = (address: string, type: ChannelType): string =>
  type === 'private' ? `${address}${PRIVATE}` : address

/** The log of a room's broadcast. */
export const broadcastLog = (room: string): string => `${room}:${WHOLE_ROOM}`

/** The log of an inbox: that of one session of a client. */
export const inboxLog = (clientId: string, key: string): string => `${INBOX}${clientId}:${key}`

const PRIVATE = '!private'
const INBOX = '@inbox:'

/** What has to be known for a log to be found: rooms by name and channels by address, or clients by id. */
export function ownerOf(log: string): { readonly rooms: readonly string[]; readonly sessions: readonly string[] } {
  if (log.startsWith(INBOX)) return { rooms: [], sessions: [log.slice(INBOX.length, log.lastIndexOf(':'))] }
  const room = log.slice(0, log.indexOf(':'))
  if (log === broadcastLog(room)) return { rooms: [room], sessions: [] }
  return { rooms: [room, log.endsWith(PRIVATE) ? log.slice(0, -PRIVATE.length) : log], sessions: [] }
}

/** The room and channel that a log belongs to, and whether the channel is private; undefined for an inbox. */
export function placeOfLog(log: string) {
  if (log.startsWith(INBOX)) return undefined
  const isPrivate = log.endsWith(PRIVATE)
  const address = isPrivate ? log.slice(0, -PRIVATE.length) : log
  const colon = address.indexOf(':')
  return { room: address.slice(0, colon), channel: address.slice(colon + 1), isPrivate }
}
