/**
 * Streams: clients that only read, opened by a GET request. Any page can make a browser send one, so a stream leaves
 * everything as it is: it begins, resumes and ends no session, takes no connection's client id, and joins only what is
 * there (docs/guide/http-api.md#follow-a-channel).
 */
import { CodedError, type Welcome } from '@arqonbus/protocol'
import { identityOf } from '../auth/authenticate.ts'
import type { Directory } from '../cluster/cluster.ts'
import type { Delivery } from '../delivery/deliver.ts'
import type { Frames } from '../delivery/frames.ts'
import type { Accounts } from '../limits/accounts.ts'
import type { Inboxes } from '../state/inboxes.ts'
import type { Client } from '../state/model.ts'
import type { Sessions } from '../state/sessions.ts'
import { implySubscription } from '../state/subscription.ts'
import type { Transport } from '../state/transport.ts'
import type { CheckCredential } from './check-credential.ts'
import type { Entering } from './enter.ts'
import { accountOfRequest, type Credentials, proofOf, shownSession } from './http-clients.ts'
import type { TokenExpiry } from './token-expiry.ts'

/** What admission of streams needs. */
export type AdmitStreamDeps = {
  readonly sessions: Sessions
  readonly inboxes: Inboxes
  readonly delivery: Delivery
  readonly frames: Frames
  readonly accounts: Accounts
  readonly entering: Entering
  /** Generates an id for a stream that names none. */
  readonly newClientId: () => string
  /** The client of that id that is still connected. */
  readonly clientOf: Directory['find']
  /** Ends the connection whose client id goes to another one. */
  readonly takeOver: (clientId: string) => void
  readonly checkCredential: CheckCredential
  readonly expiry: Pick<TokenExpiry<Client>, 'watch'>
}

/** Admits a stream and welcomes it; `unauthenticated`, `client_id_in_use`. */
export type AdmitStream = (credentials: Credentials, address: string, transport: Transport) => Client

/** Creates the admission of streams. */
export function createAdmitStream(deps: AdmitStreamDeps): AdmitStream {
  const { sessions, delivery } = deps

  /**
   * An id belongs to the client that has its session, connected or not; to an earlier stream only until a request shows
   * that session.
   */
  const takeId = (clientId: string | undefined, isProven: boolean): string => {
    if (clientId === undefined) return deps.newClientId()
    const other = deps.clientOf(clientId)
    const isFree = other === undefined ? isProven || sessions.get(clientId) === undefined : false
    if (isFree) return clientId
    if (!isProven || other?.kind !== 'stream') throw new CodedError('client_id_in_use', { client_id: clientId })
    deps.takeOver(clientId)
    return clientId
  }

  return (credentials, address, transport) => {
    const { authenticated } = credentials
    const { credential, subject } = authenticated
    const session = shownSession(sessions, credentials)
    const isProven = session !== undefined || subject !== undefined
    deps.checkCredential(credential, credentials.clientId)
    const id = takeId(credentials.clientId, isProven)
    const identity = identityOf(authenticated, id, { ...proofOf(sessions, credentials), isReadOnly: true })
    const client = deps.entering.enter({
      identity,
      account: accountOfRequest(deps.accounts, identity, credentials, address),
      kind: 'stream',
      profile: { clientType: 'service', ...credential?.profile },
      echo: true,
      isResumed: false,
      address,
      transport,
    })
    deps.expiry.watch(client)
    client.caller = { succeed() {}, acknowledge() {}, refuse() {} }
    const inbox = session === undefined ? undefined : deps.inboxes.get(session)
    if (inbox !== undefined) delivery.start(implySubscription(client, inbox.feed))
    const welcome: Omit<Welcome, 'session'> = deps.entering.welcome(client, { isResumed: false, kept: [], failed: [] })
    delivery.toClient(client, deps.frames.notice(welcome))
    return client
  }
}
