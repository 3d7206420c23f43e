/** Inboxes: a log for each client id that has sent or got a private message (protocol §4). */
import { BUS } from '@arqonbus/protocol'
import type { Log } from '../log/contract.ts'
import type { Outlet } from './model.ts'

const INBOX = { room: BUS, channel: 'inbox' }

/** An inbox. */
export type Inbox = {
  readonly clientId: string
  readonly log: Log
  readonly outlet: Outlet
}

/** The inboxes by client id. */
export type Inboxes = {
  readonly size: number
  get(clientId: string): Inbox | undefined
  /** The inbox of a client, made where there is none. */
  open(clientId: string): Inbox
  /** Lets go those that are empty and of nobody. */
  sweep(isKnown: (clientId: string) => boolean): void
}

/** No inboxes. */
export function createInboxes(openLog: (key: string, outlets: readonly Outlet[]) => Log): Inboxes {
  const inboxes = new Map<string, Inbox>()
  return {
    get size() {
      return inboxes.size
    },
    get: (clientId) => inboxes.get(clientId),
    open(clientId) {
      const existing = inboxes.get(clientId)
      if (existing !== undefined) return existing
      const outlet: Outlet = {
        topic: `i:${clientId}`,
        address: INBOX,
        listeners: 0,
        live: 0,
        logs: () => [inbox.log],
      }
      const inbox: Inbox = { clientId, log: openLog(`@inbox:${clientId}`, [outlet]), outlet }
      inboxes.set(clientId, inbox)
      return inbox
    },
    sweep(isKnown) {
      for (const [clientId, inbox] of inboxes) {
        if (inbox.log.isEmpty() && !isKnown(clientId)) {
          inbox.log.close()
          inboxes.delete(clientId)
        }
      }
    },
  }
}
