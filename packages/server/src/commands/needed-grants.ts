/**
 * The grants that commands need, by their declarations (docs/protocol.md#permissions). They are asked before the target
 * of a command is looked up, so that a refusal says nothing about what there is.
 */
import {
  type Address,
  BUS,
  CONTROL_CHANNEL,
  CodedError,
  type CommandShape,
  type GrantAction,
  type GrantPlace,
  WHOLE_ROOM,
} from '@arqonbus/protocol'
import { coverage, granted, grantedFor, notGranted, readAction } from '../auth/access.ts'
import type { Identity } from '../auth/identity.ts'

/** What a command is called with. */
type Called = { readonly parameters: Readonly<Record<string, unknown>>; readonly address: Address }

/** Where the grant is asked for, as it is shown in a refusal; undefined where something else asks. */
const places: {
  readonly [Place in GrantPlace]: (called: Called) => Address | { readonly client: string } | undefined
} = {
  address: ({ address }) => address,
  room: ({ address }) => ({ room: address.room, channel: WHOLE_ROOM }),
  // Each address has an outcome of its own: the join asks.
  joined: () => undefined,
  listed({ parameters: { room, channel }, address }) {
    if (room === undefined && channel === undefined) return undefined
    return channel === undefined ? { room: address.room, channel: WHOLE_ROOM } : address
  },
  bus: () => ({ room: BUS, channel: CONTROL_CHANNEL }),
  client: ({ parameters }) => ({ client: String(parameters.client_id) }),
}

/** Throws `forbidden` where the identity has none of the grants, one of which the command needs. */
export function requireNeeded(shape: CommandShape, identity: Identity, called: Called): void {
  const { grant } = shape
  if (grant === 'nothing') return
  const place = places[grant.at](called)
  if (place === undefined) return
  if (grant.actions.some((action) => isGranted(identity, action, grant.at, place))) return
  if (shape.requires_admin) throw new CodedError('forbidden', { command: shape.name, requires: 'admin' })
  const action = grant.actions[0]
  throw 'client' in place
    ? new CodedError('forbidden', { client_id: place.client, requires: action })
    : notGranted(action, place.room, place.channel)
}

function isGranted(
  identity: Identity,
  named: GrantAction,
  at: GrantPlace,
  place: Address | { readonly client: string },
): boolean {
  if ('client' in place) return grantedFor(identity, named, place.client)
  const { room, channel } = place
  const action = named === 'join' ? readAction(room) : named
  // What a list names of a room is filtered by channel.
  if (at === 'listed' && channel === WHOLE_ROOM) return coverage(identity, action, room) !== 'none'
  return granted(identity, action, room, channel)
}
