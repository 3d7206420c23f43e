/** The slowest and busiest clients, and the busiest channels: asked for only while the overview is open. */
import type { ListedClient } from '@arqonbus/protocol'
import { batch, signal } from '@preact/signals'
import { client, link, onBus } from './bus.ts'

/** A channel and its messages per second. */
export type BusyChannel = { readonly address: string; readonly rate: number }

/** Clients that read too slowly, the one with the most unread bytes first; undefined before they are known. */
export const slowClients = signal<readonly ListedClient[] | undefined>(undefined)
/** The clients that send most. */
export const busyClients = signal<readonly ListedClient[] | undefined>(undefined)
/** The channels with the most messages. */
export const busyChannels = signal<readonly BusyChannel[] | undefined>(undefined)

const MOST = 5
const EVERY_MS = 3000
/** A client with fewer unread bytes is not slow, if it is not catching up. */
const UNREAD_BYTES = 64 * 1024

/** Keeps the lists current until the returned function is called. */
export function watchTop(): () => void {
  void refresh()
  const stop = onBus('connected', () => void refresh())
  const timer = setInterval(() => void refresh(), EVERY_MS)
  return () => {
    clearInterval(timer)
    stop()
  }
}

async function refresh(): Promise<void> {
  const bus = client.value
  if (bus === undefined || link.value.state !== 'open') return
  try {
    const [slow, busy, channels] = await Promise.all([
      bus.listClients({ order: 'queue', limit: MOST }),
      bus.listClients({ order: 'rate', limit: MOST }),
      bus.listChannels({ order: 'rate', limit: MOST }),
    ])
    batch(() => {
      slowClients.value = slow.clients.filter(({ behind, queue_bytes: unread }) => behind || unread >= UNREAD_BYTES)
      busyClients.value = busy.clients.filter(({ messages_per_second: rate }) => rate > 0)
      busyChannels.value = channels.channels
        .map(({ room, name, messages_per_second: rate }) => ({ address: `${room}:${name}`, rate }))
        .filter(({ rate }) => rate > 0)
    })
  } catch {
    // Without a reply the previous lists are kept; the notes above the view show the state of the connection.
  }
}
