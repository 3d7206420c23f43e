/** The connected clients that this identity may see. */
import type { ListedClient } from '@arqonbus/protocol'
import { signal } from '@preact/signals'
import { client, link } from './bus.ts'
import { type Refusal, refusalOf } from './run.ts'

/** The clients, oldest connection first. */
export const clients = signal<readonly ListedClient[]>([])
/** True if there are more clients than the list has. */
export const isCut = signal(false)
/** Why the clients cannot be listed. */
export const clientsRefused = signal<Refusal | undefined>(undefined)

const MOST = 5000
let isReading = false

/** Frames per second of each client, between the last two lists. */
const rates = new Map<string, { readonly frames: number; readonly at: number; readonly rate: number }>()

/** Frames per second received from a client. */
export const rateOf = (id: string): number => rates.get(id)?.rate ?? 0

function noteFrames(found: readonly ListedClient[]): void {
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

/** Loads the list again. */
export async function refreshClients(): Promise<void> {
  const bus = client.value
  if (bus === undefined || link.value.state !== 'open' || isReading) return
  isReading = true
  try {
    const found: ListedClient[] = []
    let cursor: string | undefined
    do {
      const page: { clients: ListedClient[]; cursor?: string } = await bus.listClients({
        limit: 1000,
        ...(cursor !== undefined && { cursor }),
      })
      found.push(...page.clients)
      cursor = page.cursor
    } while (cursor !== undefined && found.length < MOST)
    noteFrames(found)
    clients.value = found
    isCut.value = cursor !== undefined
    clientsRefused.value = undefined
  } catch (error) {
    clientsRefused.value = refusalOf(error)
  } finally {
    isReading = false
  }
}
