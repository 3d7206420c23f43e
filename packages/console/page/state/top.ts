/** The slowest and busiest clients, and the busiest channels: asked for only while the overview is open. */
import { batch, signal } from '@preact/signals'
import { client, link, onBus } from './bus.ts'
import { clients, rateOf, refreshClients } from './clients.ts'
import type { ChannelRow, ClientRow } from './figures.ts'
import { refreshStatus, status } from './status.ts'
import { channelRates } from './telemetry.ts'

/** A channel and its messages per second. */
export type BusyChannel = { readonly address: string; readonly rate: number }

/** Clients that read too slowly, the one with the most unread bytes first; undefined before they are known. */
export const slowClients = signal<readonly ClientRow[] | undefined>(undefined)
/** The clients that send most. */
export const busyClients = signal<readonly ClientRow[] | undefined>(undefined)
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

const isSlow = ({ behind, queue_bytes: bytes }: ClientRow): boolean => behind || bytes >= UNREAD_BYTES

async function refresh(): Promise<void> {
  const bus = client.value
  if (bus === undefined || link.value.state !== 'open') return
  if (status.value === undefined) await refreshStatus()
  try {
    // A server of an earlier version orders no lists, and says nothing of what needs attention.
    if (status.value?.attention === undefined) await orderHere()
    else await askOrdered((name, parameters) => bus.command(name, parameters as never))
  } catch {
    // Without a reply the previous lists stay; the state of the connection shows why there is none.
  }
}

async function askOrdered(ask: (name: 'list_clients' | 'list_channels', parameters: object) => Promise<unknown>) {
  const [slow, busy, channels] = (await Promise.all([
    ask('list_clients', { order: 'queue', limit: MOST }),
    ask('list_clients', { order: 'rate', limit: MOST }),
    ask('list_channels', { order: 'rate', limit: MOST }),
  ])) as [{ clients: ClientRow[] }, { clients: ClientRow[] }, { channels: ChannelRow[] }]
  batch(() => {
    slowClients.value = slow.clients.filter(isSlow)
    busyClients.value = busy.clients.filter((one) => rateOf(one) > 0)
    busyChannels.value = channels.channels
      .map(({ room, name, messages_per_second: rate = 0 }) => ({ address: `${room}:${name}`, rate }))
      .filter(({ rate }) => rate > 0)
  })
}

async function orderHere(): Promise<void> {
  await refreshClients()
  const all = clients.value
  batch(() => {
    slowClients.value = all
      .filter(isSlow)
      .sort((a, b) => b.queue_bytes - a.queue_bytes)
      .slice(0, MOST)
    busyClients.value = all
      .filter((one) => rateOf(one) > 0)
      .sort((a, b) => rateOf(b) - rateOf(a))
      .slice(0, MOST)
    busyChannels.value = channelRates.top(MOST, Date.now()).map(({ name: address, rate }) => ({ address, rate }))
  })
}
