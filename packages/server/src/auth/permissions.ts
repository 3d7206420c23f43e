/**
 * Permissions: what the grants of an identity allow at which addresses (docs/protocol.md#permissions). They are one half
 * of the answer of `may` in `access.ts`; the other half is what the room, the channel or the client itself allows.
 */

/** What a grant can allow. */
export const grantActions = [
  'join',
  'publish',
  'history',
  'create',
  'manage',
  'private',
  'presence',
  'telemetry',
  'status',
  'ask',
  'decide',
] as const

/** An action of a grant. */
export type GrantAction = (typeof grantActions)[number]

/** The grants of an identity, ready to be asked. */
export type Permissions = {
  /** Whether the action is allowed at this address. */
  allows(action: GrantAction, room: string, channel: string): boolean
  /** Whether it is allowed in every channel that the room may come to have, in some that can be named, or in none. */
  coverage(action: GrantAction, room: string): 'all' | 'some' | 'none'
  /** Whether it is allowed towards the client of this id. */
  allowsClient(action: GrantAction, clientId: string): boolean
}

/** Allows everything: where nobody is asked who they are, the rules of rooms and channels alone decide. */
export const everything: Permissions = {
  allows: () => true,
  coverage: () => 'all',
  allowsClient: () => true,
}
