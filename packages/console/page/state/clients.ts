/** The connected clients that this identity may see. */
import type { Client } from '@arqonbus/client'
import type { ListedClient } from '@arqonbus/protocol'
import { batch, signal } from '@preact/signals'
import { pagesOf } from '../kit/pages.ts'
import { client, link } from './bus.ts'
import { type Refusal, refusalOf } from './run.ts'
import { refreshStatus, status } from './status.ts'

/** The clients, oldest connection first. */
export const clients = signal<readonly ListedClient[]>([])
/** True once the list was loaded. */
export const areClientsKnown = signal(false)
/** True if there are more clients than the list has. */
export const isCut = signal(false)
/** Why the clients cannot be listed. */
export const clientsRefused = signal<Refusal | undefined>(undefined)

const MOST = 5000
let isReading = false

/** Reads the pages of the list. If not all clients fit, it has those with the most unread bytes. */
async function readAll(bus: Client) {
  const order = (status.value?.totals.clients ?? 0) > MOST ? ({ order: 'queue' } as const) : {}
  // A client whose place in an order changes may be on two pages.
  const byId = new Map<string, ListedClient>()
  for await (const { clients, cursor } of pagesOf((paging) => bus.listClients({ ...paging, ...order }))) {
    for (const one of clients) byId.set(one.client_id, one)
    if (cursor !== undefined && byId.size >= MOST) return { found: [...byId.values()], hasMore: true }
  }
  return { found: [...byId.values()], hasMore: false }
}

/** Loads the list again. */
export async function refreshClients(): Promise<void> {
  const bus = client.value
  if (bus === undefined || link.value.state !== 'open' || isReading) return
  isReading = true
  try {
    const { found, hasMore } = await readAll(bus)
    // The counts beside the list are of the same moment.
    await refreshStatus()
    batch(() => {
      clients.value = found
      isCut.value = hasMore
      areClientsKnown.value = true
      clientsRefused.value = undefined
    })
  } catch (error) {
    clientsRefused.value = refusalOf(error)
  } finally {
    isReading = false
  }
}
