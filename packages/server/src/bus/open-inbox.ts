/** The inboxes of clients (protocol §4): opened when they are first needed, heard by their clients, and counted from the beginning of a session. */
import { then } from '../kit/maybe.ts'
import type { Log } from '../log/contract.ts'
import type { Clients } from '../state/clients.ts'
import type { Inbox, Inboxes } from '../state/inboxes.ts'
import type { Outlet } from '../state/model.ts'
import type { Sessions } from '../state/sessions.ts'
import type { Delivery } from './deliver.ts'

/** What opening needs. */
export type OpenInboxDeps = {
  readonly inboxes: Inboxes
  readonly sessions: Sessions
  readonly clients: Clients
  readonly delivery: Delivery
  /** Hears of each session that has come to know where its inbox begins. */
  readonly claimed: (clientId: string) => void
}

/** Opening. */
export type OpenInboxes = {
  openFor(clientId: string): Inbox
  /** The log of a client's inbox, the outlet that carries it, and the number up to which it is somebody else's. */
  of(clientId: string): { readonly log: Log; readonly outlet: Outlet; readonly after: () => number }
}

/** Makes it. */
export function createOpenInboxes({ inboxes, sessions, clients, delivery, claimed }: OpenInboxDeps): OpenInboxes {
  const claim = (clientId: string, log: Log) => {
    const session = sessions.get(clientId)
    if (session === undefined) return
    const known = log.known()
    // A log that is away is known later, or by another.
    void then(known instanceof Promise ? known.catch(() => {}) : known, () => {
      // What was in it when the session began is somebody else's.
      if (log.base.n >= 0) session.inboxAfter ??= log.base.n
      claimed(clientId)
    })
  }
  const openFor = (clientId: string): Inbox => {
    const known = inboxes.get(clientId)
    if (known !== undefined) return known
    const inbox = inboxes.open(clientId)
    claim(clientId, inbox.log)
    const client = clients.get(clientId)
    if (client !== undefined) delivery.listen(client, inbox.outlet)
    return inbox
  }
  return {
    openFor,
    of(clientId) {
      const { log, outlet } = openFor(clientId)
      return { log, outlet, after: () => sessions.get(clientId)?.inboxAfter ?? log.base.n }
    },
  }
}
