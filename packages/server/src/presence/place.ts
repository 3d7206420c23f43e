/** Places: channels and rooms, and who has joined them (docs/protocol.md#presence). */
import type { Channel, Client, Room, Subscription } from '../state/model.ts'

/** What has members. */
export type Place = Channel | Room

export const isChannel = (place: Place): place is Channel => 'participants' in place

/** The address of a place. */
export const addressOf = (place: Place): { readonly room: string; readonly channel: string } =>
  isChannel(place) ? place.feed.address : place.wideFeed.address

/** The clients with a join there, visible or not. */
export const joinedIn = (place: Place): ReadonlyMap<Client, Subscription> =>
  isChannel(place) ? place.participants : place.broadcastSubscriptions

/** Whether a client that has joined a place is shown there: in a room, by any visible join in it. */
export function isVisible(client: Client, place: Place): boolean {
  if (isChannel(place)) return client.channels.get(place)?.options?.invisible !== true
  const toRoom = client.rooms.get(place)
  if (toRoom !== undefined && toRoom.options?.invisible !== true) return true
  for (const [channel, { options }] of client.channels)
    if (channel.room === place && options?.invisible !== true) return true
  return false
}

/** Clients that have joined a place and are not shown there. */
export function hiddenIn(place: Place): Set<Client> {
  const hidden = new Set<Client>()
  for (const client of joinedIn(place).keys()) if (!isVisible(client, place)) hidden.add(client)
  return hidden
}
