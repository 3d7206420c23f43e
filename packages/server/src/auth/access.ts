/**
 * Permission: whether an identity may do something (docs/protocol.md#permissions). Every path asks here; the rules are
 * in the table `rules`, and the codes of refusals in `refusals`.
 *
 * An answer has two halves. The grants of the identity are asked by address, before anything is looked up, so that a
 * refusal says nothing about what there is: `granted`, `coverage`, `requireGrant`. The rules of the room or channel
 * that was found come after that: `may` answers, `authorize` throws the code of the refusal, and `visible` filters
 * lists. Each action has a target: what its rule needs to know of a room, a channel or an address.
 */
import { BUS, CodedError, type GrantAction, PM_CHANNEL, TELEMETRY_ROOM, WHOLE_ROOM } from '@arqonbus/protocol'
import type { Creator, Identity } from './identity.ts'
import type { Coverage } from './permissions.ts'

/** What permission depends on in a channel. */
export type ChannelTarget = Creator & {
  /** `room:channel`. */
  readonly address: string
  readonly room: { readonly name: string }
  readonly name: string
  readonly type: 'general' | 'private' | 'system' | 'pm'
  /** Client ids that may enter a private channel, beside its creator and admins. */
  readonly members: ReadonlySet<string> | undefined
  /** True for channels that are built in or configured. */
  readonly hardcoded: boolean
  /** Undefined for the bus's own channels, which only the bus writes to. */
  readonly log: object | undefined
}

/** What permission depends on in a room. */
export type RoomTarget = Creator & {
  readonly name: string
  /** `system`: built in, or configured. */
  readonly type: RoomType
  readonly state: 'active' | 'paused'
  /** Undefined for the bus's own rooms, which take no broadcast. */
  readonly broadcast: object | undefined
}

/**
 * How a room was created: built in or configured, by `create_channel`, or on demand. Here and not in `state/`, which is
 * on a higher layer.
 */
export type RoomType = 'system' | 'user' | 'dynamic'

/** An address as a client writes it; the channel of a whole room is `*`. */
type AddressTarget = { readonly room: string; readonly channel: string }

/** An address at which there is no channel yet. */
export type NewTarget = AddressTarget & {
  /** True where the room is built in: only the bus adds channels to it. */
  readonly isBuiltIn: boolean
  readonly creation: CreationPolicy
}

/**
 * The settings `ARQONBUS_AUTO_CREATE` and `ARQONBUS_CREATE`: whether joins and messages create channels, and who may
 * create any.
 */
export type CreationPolicy = { readonly autoCreate: boolean; readonly create: 'user' | 'admin' }

/** The actions, each with what it is about. */
type Targets = {
  /** Have to do with a channel at all: where it is private, its creator, its members and admins. */
  find: ChannelTarget
  /** Join a channel, be delivered its messages, inspect it, see it in lists. */
  read: ChannelTarget
  /** Read the history of a channel. */
  read_history: ChannelTarget
  /** Be told who is in a channel or a room, join it unseen, and set one's status there. */
  presence: ChannelTarget | RoomTarget
  /** Publish to a channel. */
  publish: ChannelTarget
  /** Publish to a whole room. */
  broadcast: RoomTarget
  /** Join an address, or publish to it, whether there is a channel or not. */
  enter: AddressTarget
  /** Create a channel, and its room, by joining it or publishing to it. */
  open: NewTarget
  /** Wait for a channel that a connection of this identity would create. */
  wait_for: NewTarget
  /** Create a channel by `create_channel`. */
  create: NewTarget
  /** Delete a channel. */
  delete: ChannelTarget
  /** Delete a message of this sender. */
  delete_message: AddressTarget & { readonly from: string | undefined }
  /** Invite members into a private channel, and remove them. */
  change_members: ChannelTarget
  /** Pause, resume or delete a room: system rooms never change. */
  change: RoomTarget
  /** Delete a room that may change. */
  delete_room: RoomTarget
  /** Read and write the inbox of a client id. */
  inbox: string
  /** Send private messages by the channel `pm` of a room. */
  send_private: string
  /** Use one's client id for an HTTP request while a client may be connected under it, or may come back. */
  use_id: { readonly isTaken: boolean }
}

/** What an identity may or may not do. */
type Action = keyof Targets

/**
 * Actions without a code of their own: where they are not allowed, the answer is that there is no such room or channel.
 */
type Hidden = 'find' | 'open' | 'wait_for'

/** Whether the identity may do it. Allocates nothing. */
export const may = <A extends Action>(identity: Identity, action: A, target: Targets[A]): boolean =>
  rules[action](identity, target)

/** Throws the error that the action is refused with, where the identity may not do it. */
export function authorize<A extends Exclude<Action, Hidden>>(identity: Identity, action: A, target: Targets[A]): void {
  if (!rules[action](identity, target)) throw refusals[action](target, identity)
}

/** Whether the grants of the identity allow the action at an address. Allocates nothing. */
export const granted = (identity: Identity, action: GrantAction, room: string, channel: string): boolean =>
  isAdmin(identity) || identity.permissions.allows(action, room, channel)

/** Whether they allow it towards a client; towards itself every client may do everything but manage. */
export const grantedFor = (identity: Identity, action: GrantAction, clientId: string): boolean =>
  isAdmin(identity) ||
  (clientId === identity.id && action !== 'manage') ||
  identity.permissions.allowsClient(action, clientId)

/** How much of a room they allow it in. */
export const coverage = (identity: Identity, action: GrantAction, room: string): Coverage =>
  isAdmin(identity) ? 'all' : identity.permissions.coverage(action, room)

/** What reading a channel of the room needs: the channels of telemetry have an action of their own. */
export const readAction = (room: string): 'join' | 'telemetry' => (room === TELEMETRY_ROOM ? 'telemetry' : 'join')

/** Refuses what the grants do not allow: before the address is looked up. */
export function requireGrant(identity: Identity, action: GrantAction, room: string, channel: string): void {
  if (!granted(identity, action, room, channel)) throw notGranted(action, room, channel)
}

/** Refuses what the grants allow in no channel of the room. */
export function requireCoverage(identity: Identity, action: GrantAction, room: string): void {
  if (coverage(identity, action, room) === 'none') throw notGranted(action, room, WHOLE_ROOM)
}

/** The refusal of what the grants do not allow: it depends on the address alone, and not on what is there. */
export const notGranted = (action: GrantAction, room: string, channel: string): CodedError =>
  new CodedError('forbidden', { channel: `${room}:${channel}`, requires: action })

/**
 * The refusal of a private channel that the identity may not enter: as if there were none, except to those who may
 * create channels of its name. They would learn that there is one by creating it.
 */
export const hiddenChannel = (identity: Identity, channel: ChannelTarget, notFound: () => CodedError): CodedError =>
  isHidden(identity, channel) ? notFound() : forbidden(identity, channel)

/** True for a private channel that answers to the identity as if there were none. */
export const isHidden = (identity: Identity, channel: ChannelTarget): boolean =>
  !may(identity, 'find', channel) && !granted(identity, 'create', channel.room.name, channel.name)

/** What an identity sees in lists: the channels that it may read, their rooms, and clients that its grants name. */
export const visible = (identity: Identity) => ({
  channel: (channel: ChannelTarget) => may(identity, 'read', channel),
  room: (name: string) => coverage(identity, readAction(name), name) !== 'none',
  client: (clientId: string) => grantedFor(identity, 'presence', clientId),
})

/** True where only the creator, members and admins may read a channel. */
export const isRestricted = ({ type }: Pick<ChannelTarget, 'type'>): boolean => type === 'private'

const isAdmin = ({ role }: Identity): boolean => role === 'admin'

const isCreator = (identity: Identity, { create }: CreationPolicy): boolean => create === 'user' || isAdmin(identity)

/**
 * What a client id created is of whoever holds the session that it had then, or has a token for the id. Of what was
 * stored without a holder it is whoever shows the session of the id.
 */
const owns = (identity: Identity, { createdBy, holder }: Creator): boolean =>
  isAdmin(identity) || (createdBy === identity.id && isHolder(identity, holder))

const isHolder = ({ isProven, subject, holder: own }: Identity, holder: string | undefined): boolean =>
  subject !== undefined || (isProven && (holder === undefined || holder === own))

const allowsAt = (identity: Identity, action: GrantAction, { room, name }: ChannelTarget): boolean =>
  granted(identity, action, room.name, name)

/** What is allowed. */
const rules: { readonly [A in Action]: (identity: Identity, target: Targets[A]) => boolean } = {
  find: (identity, channel) =>
    !isRestricted(channel) ||
    owns(identity, channel) ||
    (identity.isProven && channel.members?.has(identity.id) === true),
  read: (identity, channel) =>
    rules.find(identity, channel) && allowsAt(identity, readAction(channel.room.name), channel),
  read_history: (identity, channel) => rules.find(identity, channel) && allowsAt(identity, 'history', channel),
  presence: (identity, target) =>
    'address' in target
      ? rules.read(identity, target) && allowsAt(identity, 'presence', target)
      : granted(identity, 'presence', target.name, WHOLE_ROOM),
  // Every client reads a system channel; the bus publishes to it, and to configured ones admins do too.
  publish: (identity, channel) =>
    rules.find(identity, channel) &&
    channel.log !== undefined &&
    (channel.type !== 'system' || isAdmin(identity)) &&
    allowsAt(identity, 'publish', channel),
  broadcast: (_identity, { broadcast }) => broadcast !== undefined,
  enter: (_identity, { room, channel }) => room !== BUS && channel !== PM_CHANNEL,
  open: (identity, target) => !identity.isReadOnly && rules.wait_for(identity, target),
  wait_for: (identity, { room, channel, isBuiltIn, creation }) =>
    creation.autoCreate && isCreator(identity, creation) && !isBuiltIn && granted(identity, 'create', room, channel),
  create: (identity, { channel, isBuiltIn, creation }) =>
    isCreator(identity, creation) && channel !== PM_CHANNEL && !isBuiltIn,
  delete: (identity, channel) =>
    !channel.hardcoded && (owns(identity, channel) || allowsAt(identity, 'manage', channel)),
  delete_message: (identity, { room, channel, from }) =>
    granted(identity, 'manage', room, channel) || (identity.isProven && identity.id === from),
  change_members: (identity, channel) => owns(identity, channel) || allowsAt(identity, 'manage', channel),
  change: (_identity, { type }) => type !== 'system',
  // A pause outlasts the creator of the room: a new room of the name would not be paused.
  delete_room: (identity, room) =>
    granted(identity, 'manage', room.name, WHOLE_ROOM) || (room.state === 'active' && owns(identity, room)),
  inbox: (identity, clientId) => identity.isProven && identity.id === clientId,
  send_private: (_identity, room) => room !== TELEMETRY_ROOM,
  use_id: (identity, { isTaken }) => identity.isProven || isAdmin(identity) || !isTaken,
}

/** Of what is another's; a caller that only says who it is hears what could prove it, whoever that is. */
const notYours = (
  { isProven }: Identity,
  about: { readonly channel: string } | { readonly room: string },
): CodedError => new CodedError('forbidden', isProven ? { ...about } : { ...about, ...SESSION_NEEDED })
const forbidden = (identity: Identity, { address }: ChannelTarget) => notYours(identity, { channel: address })
const SESSION_NEEDED = {
  path: '/headers/arqonbus-session',
  expected: 'the session of the client id: its rights belong to whoever holds that',
}
const systemRoom = ({ room }: AddressTarget): CodedError => new CodedError('system_room', { room })
const systemChannel = (address: string): CodedError => new CodedError('system_channel', { channel: address })
const textOf = ({ room, channel }: AddressTarget): string => `${room}:${channel}`

/** How each action is refused that is not allowed. */
const refusals: {
  readonly [A in Exclude<Action, Hidden>]: (target: Targets[A], identity: Identity) => CodedError
} = {
  read: (channel, identity) => forbidden(identity, channel),
  read_history: (channel, identity) => forbidden(identity, channel),
  presence: (target, identity) => {
    if ('address' in target && !may(identity, 'read', target)) return forbidden(identity, target)
    const [room, channel] = 'address' in target ? [target.room.name, target.name] : [target.name, WHOLE_ROOM]
    return notGranted('presence', room, channel)
  },
  publish: (channel, identity) =>
    may(identity, 'find', channel) ? systemChannel(channel.address) : forbidden(identity, channel),
  broadcast: ({ name }) => systemChannel(`${name}:${WHOLE_ROOM}`),
  enter: (address) => (address.channel === WHOLE_ROOM ? systemRoom(address) : systemChannel(textOf(address))),
  create: (target, identity) => {
    if (!isCreator(identity, target.creation)) return new CodedError('forbidden', { requires: 'admin' })
    return target.channel === PM_CHANNEL ? systemChannel(textOf(target)) : systemRoom(target)
  },
  delete: (channel, identity) =>
    channel.hardcoded
      ? new CodedError('channel_hardcoded', { channel: channel.address })
      : forbidden(identity, channel),
  delete_message: (address, identity) => notYours(identity, { channel: textOf(address) }),
  change_members: (channel, identity) => forbidden(identity, channel),
  change: ({ name }) => new CodedError('room_hardcoded', { room: name }),
  delete_room: (room, identity) =>
    owns(identity, room)
      ? new CodedError('room_paused', { room: room.name, requires: 'admin' })
      : notYours(identity, { room: room.name }),
  inbox: () => new CodedError('forbidden', { ...SESSION_NEEDED }),
  send_private: (room) => systemChannel(textOf({ room, channel: PM_CHANNEL })),
  use_id: (_target, { id }) => new CodedError('client_id_in_use', { client_id: id }),
}
