/** The rooms and channels that this identity may see. */
import type { Channel, Room } from '@arqonbus/protocol'
import { BUS, TELEMETRY_ROOM } from '@arqonbus/protocol/names'
import { batch, signal } from '@preact/signals'
import { client, link, onBus } from './bus.ts'
import { status } from './status.ts'
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

/** The most channels that are listed. */
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
    const said = await bus.status()
    const { rooms: described } = said
    const byRoom = new Map<string, Channel[]>(described.map(({ name }) => [name, []]))
    let [cursor, total]: [string | undefined, number] = [undefined, 0]
    do {
      const page: { channels: Channel[]; cursor?: string } = await bus.listChannels({
        limit: 1000,
        ...(cursor !== undefined && { cursor }),
      })
      for (const channel of page.channels) {
        const known = byRoom.get(channel.room)
        if (known === undefined) byRoom.set(channel.room, [channel])
        else known.push(channel)
      }
      total += page.channels.length
      cursor = page.cursor
    } while (cursor !== undefined && total < MOST)
    const entities = new Map(described.map((room) => [room.name, room]))
    const listed = [...byRoom]
      .map(([name, channels]) => ({ name, room: entities.get(name), channels: channels.sort(byName) }))
      .sort((a, b) => Number(isBuiltIn(a)) - Number(isBuiltIn(b)) || byName(a, b))
    // The counts beside the list are of the same moment.
    batch(() => {
      status.value = said
      channelCount.value = total
      arePlacesKnown.value = true
      rooms.value = listed
    })
  } catch {
    // Without a reply the previous list stays; the state of the connection shows why there is none.
  }
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
