/**
 * The inboxes of clients (docs/protocol.md#private-messages): opened when they are first needed, and heard by their
 * clients.
 */
import { authorize, may } from '../auth/access.ts'
import type { Delivery } from '../delivery/deliver.ts'
import type { Clients } from '../state/clients.ts'
import type { Inbox, Inboxes } from '../state/inboxes.ts'
import type { Client } from '../state/model.ts'
import type { Sessions } from '../state/sessions.ts'
import { implySubscription } from '../state/subscription.ts'

/** What opening needs. */
type OpenInboxDeps = {
  readonly inboxes: Inboxes
  readonly sessions: Sessions
  readonly clients: Clients
  readonly delivery: Delivery
  /** Called when a client has an inbox for the first time. */
  readonly opened: (clientId: string) => void
}

/** Opens the inbox of a client that is connected, or whose session is kept. */
export type OpenInbox = (clientId: string) => Inbox

/** Opens the inbox of the requester; `forbidden` for a caller by HTTP that has not proved its client id. */
export type OwnInbox = (client: Client) => Inbox

/** Creates the function that opens inboxes. */
export function createOpenInbox({ inboxes, sessions, clients, delivery, opened }: OpenInboxDeps): OpenInbox {
  return (clientId) => {
    const session = sessions.get(clientId)
    if (session === undefined) throw new Error(`${clientId} has no session`)
    const known = inboxes.get(session)
    if (known !== undefined) return known
    const inbox = inboxes.open(session)
    opened(clientId)
    const client = clients.get(clientId)
    if (client !== undefined && may(client.identity, 'inbox', clientId))
      delivery.start(implySubscription(client, inbox.feed))
    return inbox
  }
}

/** Creates the function that opens the inbox of a requester. */
export const createOwnInbox =
  (openInbox: OpenInbox): OwnInbox =>
  (client) => {
    authorize(client.identity, 'inbox', client.id)
    return openInbox(client.id)
  }
