/** The connected clients that this identity may see. */
import { batch, signal } from '@preact/signals'
import { client, link } from './bus.ts'
import type { ClientRow } from './figures.ts'
import { type Refusal, refusalOf } from './run.ts'
import { refreshStatus, status } from './status.ts'

/** The clients, oldest connection first. */
export const clients = signal<readonly ClientRow[]>([])
/** True once the list was loaded. */
export const areClientsKnown = signal(false)
/** True if there are more clients than the list has. */
export const isCut = signal(false)
/** Why the clients cannot be listed. */
export const clientsRefused = signal<Refusal | undefined>(undefined)

const MOST = 5000
let isReading = false

/** Frames per second of each client, between the last two lists. */
const rates = new Map<string, { readonly frames: number; readonly at: number; readonly rate: number }>()

/** Messages per second received from a client: as the server states it, or else its frames. */
export const rateOf = ({ client_id: id, messages_per_second: stated }: ClientRow): number =>
  stated ?? rates.get(id)?.rate ?? 0

function noteFrames(found: readonly ClientRow[]): void {
  const at = performance.now()
  const before = new Map(rates)
  rates.clear()
  for (const { client_id: id, frames_received: frames } of found) {
    const last = before.get(id)
    // A client that has reconnected counts from zero.
    const rate = last === undefined || frames < last.frames ? 0 : ((frames - last.frames) * 1000) / (at - last.at)
    rates.set(id, { frames, at, rate })
  }
}

type Page = { readonly clients: readonly ClientRow[]; readonly cursor?: string }

/** Reads the pages of the list. If not all clients fit, it has those with the most unread bytes. */
async function readAll(ask: (parameters: object) => Promise<Page>) {
  const { attention, totals } = status.value ?? {}
  const order = attention !== undefined && (totals?.clients ?? 0) > MOST ? { order: 'queue' } : {}
  // A client whose place in an order changes may be on two pages.
  const byId = new Map<string, ClientRow>()
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
    const { found, cursor } = await readAll((parameters) => bus.command('list_clients', parameters))
    noteFrames(found)
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
