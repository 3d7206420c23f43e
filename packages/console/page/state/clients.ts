/** The connected clients, as far as one may see them. */
import type { ListedClient } from '@arqonbus/protocol'
import { signal } from '@preact/signals'
import { client, link } from './bus.ts'
import { type Refusal, refusalOf } from './run.ts'

/** The clients, oldest connection first. */
export const clients = signal<readonly ListedClient[]>([])
/** True where there are more than are listed. */
export const isCut = signal(false)
/** Why they cannot be listed. */
export const clientsRefused = signal<Refusal | undefined>(undefined)

const MOST = 5000
let isReading = false

/** Asks the bus anew. */
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
    clients.value = found
    isCut.value = cursor !== undefined
    clientsRefused.value = undefined
  } catch (error) {
    clientsRefused.value = refusalOf(error)
  } finally {
    isReading = false
  }
}
