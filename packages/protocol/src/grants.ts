/** What grants allow, and which of them a command needs where (docs/protocol.md#permissions). */

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

/** Where a command needs its grant, each with what that means for a reader. */
export const grantPlaces = {
  address: 'the channel that it names',
  room: '`room:*` of its room',
  joined: 'each channel that it joins; for `room:*`, at least one channel of the room',
  listed: 'each entry, which is left out otherwise, and at the room or channel that it names',
  bus: '`arqonbus:control`',
  client: '`@client_id` of the client that it names',
} as const

/** Where a command needs its grant. */
export type GrantPlace = keyof typeof grantPlaces

/**
 * What a command needs beside the rules of rooms and channels: one of these actions at that place, or nothing, where it
 * is about its requester alone.
 */
export type GrantNeed =
  | 'nothing'
  | { readonly at: GrantPlace; readonly actions: readonly [GrantAction, ...GrantAction[]] }
