/** Where the simulated clients meet. */

const SECRET = 'green:secret'

/** The members of the private channel. */
export const MEMBERS: readonly string[] = ['ann', 'bob', 'cyd']

export const CLIENT_IDS: readonly string[] = [...MEMBERS, 'dan', 'eve', 'fay', 'gus']

export const ROOMS: readonly string[] = ['red', 'blue', 'green']

/** Channels by address; clients join them directly or with their room. */
export const CHANNELS: readonly string[] = ['red:one', 'red:two', 'blue:one', 'blue:two', 'green:open', SECRET]

/** A channel that is deleted now and then, and created again by the next message; clients join it by its room only. */
export const TEMPORARY_CHANNEL = 'red:passing'

/** Every address that is published to: channels, and the broadcasts of the rooms. */
export const PUBLISH_ADDRESSES: readonly string[] = [
  ...CHANNELS,
  TEMPORARY_CHANNEL,
  ...ROOMS.map((room) => `${room}:*`),
]

export const mayRead = (clientId: string, channel: string): boolean => channel !== SECRET || MEMBERS.includes(clientId)
