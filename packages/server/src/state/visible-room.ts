/** What a viewer may know of a room: the channels that it may read, and how many clients are in those. */
import type { GrantAction } from '@arqonbus/protocol'
import { coverage, granted, may, readAction, visible } from '../auth/access.ts'
import type { Identity } from '../auth/identity.ts'
import type { Pieces } from '../kit/fair-queue.ts'
import type { Client, Room } from './model.ts'

/** A room as far as a viewer may know it. */
export type VisibleRoom = {
  /** The names of its first channels. */
  readonly channels: readonly string[]
  readonly channelCount: number
  readonly participantCount: number
}

/** What a client has joined. */
type Joined = Pick<Client, 'rooms' | 'channels'>

/** Who is in rooms. */
type Members = {
  countInRoom(room: Room): number
  knownInRoom(room: Room): Iterable<Joined>
}

/** Maximum names of channels. */
const MOST = 1000

/** Private channels that one look checks: with more of them, the room is counted channel by channel. */
const FEW = 64

/** Steps of one piece of work. */
const STEPS = 128

/** True where the viewer may know everything of a room: then nothing has to be counted. */
export function seesAll(viewer: Identity, room: Room, action: GrantAction = readAction(room.name)): boolean {
  if (viewer.role === 'admin') return true
  if (coverage(viewer, action, room.name) !== 'all' || room.restricted.size > FEW) return false
  for (const channel of room.restricted.after(0)) if (!may(viewer, 'find', channel)) return false
  return true
}

/** Counts what the viewer may know of a room, in pieces. */
export function* visibleRoom(viewer: Identity, room: Room, members: Members): Pieces<VisibleRoom> {
  const channels: string[] = []
  if (seesAll(viewer, room)) {
    for (const { name } of Iterator.from(room.channels.values()).take(MOST)) channels.push(name)
    return { channels, channelCount: room.channels.size, participantCount: members.countInRoom(room) }
  }
  const isVisible = visible(viewer).channel
  let channelCount = 0
  let steps = 0
  for (const channel of room.channelsInOrder.after(0)) {
    if (++steps % STEPS === 0) yield
    if (!isVisible(channel)) continue
    channelCount++
    if (channels.length < MOST) channels.push(channel.name)
  }
  let participantCount = 0
  for (const client of members.knownInRoom(room)) {
    if (++steps % STEPS === 0) yield
    if (isSeenIn(viewer, room, client)) participantCount++
  }
  return { channels, channelCount, participantCount }
}

/**
 * True where the viewer may know that a client is in a room: it has joined all of it, or a channel for which the viewer
 * has the grant.
 */
export function isSeenIn(
  viewer: Identity,
  room: Room,
  { rooms, channels }: Joined,
  action: GrantAction = readAction(room.name),
): boolean {
  if (rooms.has(room)) return true
  for (const channel of channels.keys()) {
    if (channel.room !== room || !may(viewer, 'find', channel)) continue
    if (granted(viewer, action, room.name, channel.name)) return true
  }
  return false
}
