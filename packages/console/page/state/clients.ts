/** The connected clients that this identity may see. */
import type { ListedClient } from '@arqonbus/protocol'
import { batch, signal } from '@preact/signals'
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

type Page = { readonly clients: readonly ListedClient[]; readonly cursor?: string }

/** Reads the pages of the list. If not all clients fit, it has those with the most unread bytes. */
async function readAll(ask: (parameters: object) => Promise<Page>) {
  const order = (status.value?.totals.clients ?? 0) > MOST ? { order: 'queue' } : {}
  // A client whose place in an order changes may be on two pages.
  const byId = new Map<string, ListedClient>()
  let cursor: string | undefined
  do {
    const page: Page = await ask({ limit: 1000, ...order, ...(cursor !== undefined && { cursor }) })
    for (const one of page.clients) byId.set(one.client_id, one)
    cursor = page.cursor
  } while (cursor !== undefined && byId.size < MOST)
  return { found: [...byId.values()], cursor }
}

/** Loads the list again. */
export async function refreshClients(): Promise<void> {
  const bus = client.value
  if (bus === undefined || link.value.state !== 'open' || isReading) return
  isReading = true
  try {
    const { found, cursor } = await readAll((parameters) => bus.listClients(parameters))
    // The counts beside the list are of the same moment.
    await refreshStatus()
    batch(() => {
      clients.value = found
      isCut.value = cursor !== undefined
      areClientsKnown.value = true
      clientsRefused.value = undefined
    })
  } catch (error) {
    clientsRefused.value = refusalOf(error)
  } finally {
    isReading = false
  }
}
