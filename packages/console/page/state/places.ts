/** The rooms and channels that this identity may see. */
import type { Client } from '@arqonbus/client'
import type { Channel, Room } from '@arqonbus/protocol'
import { BUS, TELEMETRY_ROOM } from '@arqonbus/protocol/names'
import { batch, signal } from '@preact/signals'
import { pagesOf } from '../kit/pages.ts'
import { client, link, onBus } from './bus.ts'
import { refreshStatus } from './status.ts'
import { onTelemetry } from './telemetry.ts'

/** A room with its channels. */
export type RoomView = { readonly name: string; readonly room: Room | undefined; readonly channels: readonly Channel[] }

/** All rooms by name. */
export const rooms = signal<readonly RoomView[]>([])
/** The number of channels. */
export const channelCount = signal(0)

/** True once the list was loaded. */
export const arePlacesKnown = signal(false)

/** The rooms of the bus itself come last. */
export const isBuiltIn = ({ name }: { readonly name: string }): boolean => name === BUS || name === TELEMETRY_ROOM

/** The most rooms, and the most channels, that are listed. */
const MOST = 50_000

let running: Promise<void> | undefined
let again = false

/** Loads the lists again; once more afterwards if this is called meanwhile. */
export function refreshPlaces(): Promise<void> {
  if (running !== undefined) {
    again = true
    return running
  }
  running = read().finally(() => {
    running = undefined
    if (!again) return
    again = false
    void refreshPlaces()
  })
  return running
}

async function read(): Promise<void> {
  const bus = client.value
  if (bus === undefined || link.value.state !== 'open') return
  try {
    const [described, channels] = [await readRooms(bus), await readChannels(bus)]
    // A room that was created between the two lists has channels, and no description yet.
    const byRoom = new Map<string, Channel[]>(
      [...described.keys(), ...channels.map(({ room }) => room)].map((name) => [name, []]),
    )
    for (const channel of channels) byRoom.get(channel.room)?.push(channel)
    const listed = Array.from(byRoom, ([name, own]) => ({
      name,
      room: described.get(name),
      channels: own.sort(byName),
    }))
    // The counts beside the list are of the same moment.
    await refreshStatus()
    batch(() => {
      channelCount.value = channels.length
      arePlacesKnown.value = true
      rooms.value = listed.sort((a, b) => Number(isBuiltIn(a)) - Number(isBuiltIn(b)) || byName(a, b))
    })
  } catch {
    // Without a reply the previous list is kept; the notes above the view show the state of the connection.
  }
}

async function readRooms(bus: Client): Promise<Map<string, Room>> {
  const found = new Map<string, Room>()
  for await (const { rooms } of pagesOf((paging) => bus.listRooms(paging))) {
    for (const room of rooms) found.set(room.name, room)
    if (found.size >= MOST) break
  }
  return found
}

async function readChannels(bus: Client): Promise<Channel[]> {
  const found: Channel[] = []
  for await (const { channels } of pagesOf((paging) => bus.listChannels(paging))) {
    found.push(...channels)
    if (found.length >= MOST) break
  }
  return found
}

const byName = (a: { name: string }, b: { name: string }) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0)

/** How many views show the lists. */
let watchers = 0
const EVERY_MS = 20_000

/** Keeps the lists current until the returned function is called. */
export function watchPlaces(): () => void {
  watchers += 1
  void refreshPlaces()
  const timer = setInterval(() => void refreshPlaces(), EVERY_MS)
  return () => {
    watchers -= 1
    clearInterval(timer)
  }
}

onBus('connected', () => {
  if (watchers > 0) void refreshPlaces()
})

/** Changes of rooms and channels show within a second, for any number of events. */
let due: ReturnType<typeof setTimeout> | undefined
const changing = new Set(['channel_created', 'channel_deleted', 'channel_joined', 'channel_left'])
onTelemetry(({ type }) => {
  if (watchers === 0 || !changing.has(type) || due !== undefined) return
  const patience = channelCount.value > 2000 ? 10_000 : 1000
  due = setTimeout(() => {
    due = undefined
    void refreshPlaces()
  }, patience)
})
