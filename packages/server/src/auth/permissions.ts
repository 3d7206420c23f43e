/**
 * Permissions: what the grants of an identity allow at which addresses (docs/protocol.md#permissions). They are one half
 * of the answer of `may` in `access.ts`; the other half is what the room, the channel or the client itself allows.
 */

import { type GrantAction, grantActions } from '@arqonbus/protocol'

export { type GrantAction, grantActions }

/** How much of a room an action is allowed in: every channel that it may come to have, some that can be named, none. */
export type Coverage = 'all' | 'some' | 'none'

/** The grants of an identity, ready to be asked. To ask allocates nothing. */
export type Permissions = {
  /** Whether the action is allowed at this address. The channel `*` is the broadcast of the room. */
  allows(action: GrantAction, room: string, channel: string): boolean
  /** How much of the room it is allowed in. */
  coverage(action: GrantAction, room: string): Coverage
  /** Whether it is allowed towards the client of this id. */
  allowsClient(action: GrantAction, clientId: string): boolean
  /** Whether it is denied towards that client, whatever else may allow it. */
  deniesClient(action: GrantAction, clientId: string): boolean
}

/**
 * Allows everything but to manage: where nobody is asked who they are, the rules of rooms and channels alone decide, and
 * admins manage.
 */
export const everything: Permissions = {
  allows: (action) => action !== 'manage',
  coverage: (action) => (action === 'manage' ? 'none' : 'all'),
  allowsClient: (action) => action !== 'manage',
  deniesClient: () => false,
}

/** Allows nothing. */
export const nothing: Permissions = {
  allows: () => false,
  coverage: () => 'none',
  allowsClient: () => false,
  deniesClient: () => false,
}

/** Allows what both allow: those of a token, and those of the configuration. */
export const bothOf = (a: Permissions, b: Permissions): Permissions => ({
  allows: (action, room, channel) => a.allows(action, room, channel) && b.allows(action, room, channel),
  coverage(action, room) {
    const one = a.coverage(action, room)
    const other = b.coverage(action, room)
    if (one === 'all') return other
    return other === 'none' ? 'none' : one
  },
  allowsClient: (action, clientId) => a.allowsClient(action, clientId) && b.allowsClient(action, clientId),
  deniesClient: (action, clientId) => a.deniesClient(action, clientId) || b.deniesClient(action, clientId),
})
