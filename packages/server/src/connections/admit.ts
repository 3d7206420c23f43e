/**
 * Admission: a new connection becomes a client, perhaps the one that it was before (docs/protocol.md#connecting,
 * docs/protocol.md#sessions).
 */
import { type CloseName, CodedError, parseAddress, type Welcome } from '@arqonbus/protocol'
import { type Authenticated, identityOf, type PassedHeaders } from '../auth/authenticate.ts'
import type { Credential } from '../auth/credential.ts'
import { holderOf } from '../auth/secrets.ts'
import type { Announcement, Announcer, Directory } from '../cluster/cluster.ts'
import type { FairQueue } from '../kit/fair-queue.ts'
import { chain, type Maybe } from '../kit/maybe.ts'
import type { Persistence } from '../persistence/persistence.ts'
import type { BusObserver } from '../state/bus-observer.ts'
import { type Ending, endedByServer } from '../state/ending.ts'
import type { Client, Profile } from '../state/model.ts'
import { allSubscribed, type KeptSubscription, type Session } from '../state/sessions.ts'
import { implySubscription } from '../state/subscription.ts'
import type { Transport } from '../state/transport.ts'
import { subscribedBy } from '../state/views.ts'
import type { Join } from '../subscriptions/join.ts'
import type { Subscriptions } from '../subscriptions/subscriptions.ts'
import { type AdmitStream, type AdmitStreamDeps, createAdmitStream } from './admit-stream.ts'
import { type CheckCredential, type CheckCredentialDeps, createCheckCredential } from './check-credential.ts'
import { createEntering, type EnterDeps, type Entering, type Welcomed } from './enter.ts'
import { joinAll, type WantedJoin } from './join-all.ts'
import { Refused } from './refused.ts'
import type { TokenExpiry } from './token-expiry.ts'

/** What a connection says in its upgrade request, checked. */
export type ConnectRequest = {
  /** undefined: the bus generates one. */
  readonly clientId: string | undefined
  /** What it says about itself; what it leaves out is that of its session, or the default. */
  readonly profile: Partial<Profile>
  readonly joins: readonly { room: string; channel: string }[]
  readonly echo: boolean
  /** True where a resumed session's subscriptions start at once. */
  readonly isResumingLive: boolean
  /** False where its session ends with the connection: nothing to resume, and the client id is free at once. */
  readonly keepsSession: boolean
  readonly token: string | undefined
  /** Headers that decide who it is. */
  readonly headers?: PassedHeaders | undefined
  /** Who it is; undefined until that is known. Then `clientId` is the id that it may use. */
  readonly authenticated?: Authenticated
  readonly session: string | undefined
  /** The address of the client, for the log; undefined if it is not known. */
  readonly address?: string
}

/** What admission needs. */
type AdmitDeps = EnterDeps &
  Omit<AdmitStreamDeps, 'entering' | 'clientOf' | 'takeOver' | 'checkCredential'> &
  CheckCredentialDeps & {
    /** Which client ids are connected, on all nodes. */
    readonly directory: Pick<Directory, 'find'>
    /** Ends connections on whichever node they are. */
    readonly announcer: Announcer
    readonly subscriptions: Pick<Subscriptions, 'unsubscribeFromAll'>
    readonly join: Join
    /** After an interruption many clients reconnect at once, and each joins everything that it had. */
    readonly turns: FairQueue
    readonly sessionTtlMs: number
    readonly expiry: Pick<TokenExpiry<Client>, 'watch'>
    /** Saves sessions across restarts, where they are saved. */
    readonly persistence: Pick<Persistence, 'loadSession'> | undefined
    readonly observers: Pick<BusObserver, 'clientDisconnected'>
  }

/** A subscription of a resumed session is joined again: a private channel must not have become an open one. */
const keptJoin = ([address, { type, options }]: readonly [string, KeptSubscription]): WantedJoin => ({
  ...parseAddress(address)!,
  ...(type === 'private' && { type }),
  ...options,
})

const RESERVED =
  'This client id is reserved: the client that had it may come back. Send the secret of its session, or use another id.'

/** Who a connection is: a client id with its session, and whether that was resumed. */
type TakenIdentity = {
  readonly id: string
  readonly session: Session
  readonly secret: string
  readonly isResumed: boolean
}

/** Admission of connections and streams as clients, and their departure. */
export class Admission {
  readonly #deps: AdmitDeps
  readonly #entering: Entering
  readonly #checkCredential: CheckCredential
  /** The sessions of the clients that are connected. */
  readonly #sessionOf = new Map<Client, Session>()
  /** Sessions that end with their connection. */
  readonly #ending = new WeakSet<Session>()
  /**
   * Clients whose connections have ended, and which leave when the loop has time: a crowd that left at once would block
   * it.
   */
  readonly #departing = new Map<Client, Ending>()
  readonly admitStream: AdmitStream

  constructor(deps: AdmitDeps) {
    this.#deps = deps
    this.#entering = createEntering(deps)
    this.#checkCredential = createCheckCredential(deps)
    this.admitStream = createAdmitStream({
      ...deps,
      entering: this.#entering,
      clientOf: (id) => this.#remaining(id),
      takeOver: (id) => this.#takeOver(id),
      checkCredential: this.#checkCredential,
    })
    deps.announcer.listen((announcement) => this.#receive(announcement))
  }

  /**
   * Loads the session of a connection or an HTTP request, if it is not here; undefined if there is nothing to wait for.
   * Fails with `storage_unavailable` if it is not known whether there is such a session and, for a request, with
   * `client_id_in_use` if another client is connected under the id.
   */
  loadSession(
    { clientId, session }: Pick<ConnectRequest, 'clientId' | 'session'>,
    by: 'connection' | 'call',
  ): Promise<void> | undefined {
    return this.#deps.persistence?.loadSession(clientId, session)?.then((restore) => {
      if (restore === undefined) return
      // Another client took the id during an outage. The session that was there first belongs to the client that has
      // its secret.
      const other = this.#remaining(clientId!)
      if (other !== undefined && by === 'call') throw new CodedError('client_id_in_use', { client_id: clientId })
      if (other !== undefined) this.#takeOver(clientId!)
      restore()
    })
  }

  /** Admits a connection and welcomes it, or throws `Refused`. The promise ends when it is welcomed. */
  admit(arrival: ConnectRequest, transport: Transport): { client: Client; welcomed: Maybe<void> } {
    const { inboxes, delivery, expiry, accounts } = this.#deps
    const { authenticated } = arrival
    if (authenticated === undefined) throw new Error('a connection is admitted that was not authenticated')
    const { credential } = authenticated
    const { id, session, secret, isResumed } = this.#takeIdentity(arrival, authenticated)
    const proof = { isProven: true, holder: holderOf(secret), isReadOnly: false }
    const identity = identityOf(authenticated, id, proof)
    const client = this.#entering.enter({
      identity,
      account: accounts.of(identity, arrival.address),
      kind: 'connection',
      profile: { ...session.profile, ...arrival.profile, ...credential?.profile },
      echo: arrival.echo,
      isResumed,
      address: arrival.address,
      transport,
    })
    this.#sessionOf.set(client, session)
    if (!arrival.keepsSession) this.#ending.add(session)
    expiry.watch(client)
    const inbox = inboxes.get(session)
    if (inbox !== undefined) delivery.start(implySubscription(client, inbox.feed))
    const kept = [...session.subscribed]
    const wanted = [...arrival.joins, ...(arrival.isResumingLive ? kept.map(keptJoin) : [])]
    const addresses = kept.map(([address]) => address)
    const welcomed = chain(this.#joinOrDepart(client, wanted), (failed) =>
      this.#welcome(client, secret, { isResumed, kept: addresses, failed }),
    )
    return { client, welcomed }
  }

  /**
   * A connection or a stream has ended: its client leaves everything as soon as the loop has time, and its session is
   * kept.
   */
  depart(client: Client, ending: Ending): void {
    if (this.#deps.clients.get(client.id) !== client) return
    client.isClosing = true
    this.#departing.set(client, ending)
    void this.#deps.turns.take(() => this.#departNow(client))
  }

  /** All clients whose connections have ended leave now. */
  departAll(): void {
    for (const client of this.#departing.keys()) this.#departNow(client)
  }

  /** Ends a connection and its session; the reason is for the client. */
  disconnect(client: Client, reason: string | undefined, name: CloseName = 'disconnected'): void {
    const session = this.#sessionOf.get(client)
    this.#deps.delivery.close(client, name, reason)
    this.#leave(client, endedByServer(name))
    if (session !== undefined) this.#deps.sessions.end(session)
  }

  /** An id belongs to the holder of its session while that lives, connected or not; a token proves it too. */
  #takeIdentity(arrival: ConnectRequest, { credential, subject }: Authenticated): TakenIdentity {
    const { clientId, session: secret, profile, address } = arrival
    const { sessions, accounts } = this.#deps
    const subjects = credential?.subjects ?? []
    const id = clientId ?? this.#deps.newClientId()
    const resumed = secret === undefined || clientId === undefined ? undefined : sessions.find(id, secret)
    const other = this.#remaining(id)
    this.#refuseCredential(credential, id)
    if (resumed === undefined) this.#refuseTaken(id, other, credential !== undefined)
    // A stream has no claim to its id: any page can open one.
    if (other?.kind === 'stream') this.#takeOver(id)
    if (resumed !== undefined) {
      if (other?.kind === 'connection') this.#takeOver(id)
      resumed.subjects = subjects
      sessions.resume(resumed)
      return { id, session: resumed, secret: secret!, isResumed: true }
    }
    const begun = {
      clientId: id,
      account: accounts.of({ id, subject }, address),
      profile: { clientType: 'human' as const, ...profile, ...credential?.profile },
      subjects,
      isBrief: !arrival.keepsSession,
    }
    return { id, ...sessions.begin(begun, secret), isResumed: false }
  }

  #refuseTaken(id: string, other: ReturnType<Directory['find']>, isProven: boolean): void {
    const { sessions, clock } = this.#deps
    const kept = sessions.get(id)
    if (other?.kind !== 'connection' && (kept === undefined || isProven)) return
    const isConnected = kept?.expiresAt === undefined
    const waitMs = isConnected ? undefined : Math.ceil(kept.expiresAt! - clock.monotonic())
    const message = isConnected ? undefined : RESERVED
    throw new Refused(new CodedError('client_id_in_use', { client_id: id }, waitMs, message), 'client_id_in_use')
  }

  /** The client that is still connected under an id. One whose connection has ended leaves now, ahead of its turn. */
  #remaining(id: string): ReturnType<Directory['find']> {
    const client = this.#deps.clients.get(id)
    if (client !== undefined && this.#departing.has(client)) this.#departNow(client)
    return this.#deps.directory.find(id)
  }

  /** Ends the connection whose client id goes to another one. */
  #takeOver(clientId: string): void {
    this.#deps.announcer.announce({ type: 'take_over', clientId })
  }

  #refuseCredential(credential: Credential | undefined, id: string): void {
    try {
      this.#checkCredential(credential, id)
    } catch (problem) {
      if (!(problem instanceof CodedError)) throw problem
      throw new Refused(problem, problem.code === 'unauthenticated' ? problem.code : 'subject_full')
    }
  }

  #receive(announcement: Announcement): void {
    if (announcement.type === 'membership' || announcement.type === 'revoke') return
    const client = this.#deps.clients.get(announcement.clientId)
    if (client === undefined) return
    if (announcement.type === 'disconnect') return this.disconnect(client, announcement.reason)
    this.#deps.delivery.close(client, 'taken_over')
    this.#leave(client, endedByServer('taken_over'))
  }

  #departNow(client: Client): void {
    const ending = this.#departing.get(client)
    this.#departing.delete(client)
    if (ending !== undefined) this.#leave(client, ending)
  }

  /** The client leaves everything, and its session is kept. */
  #leave(client: Client, ending: Ending): void {
    const { clients, clock, sessions, sessionTtlMs, greeting, subscriptions, observers, logger } = this.#deps
    if (clients.get(client.id) !== client) return
    const session = this.#sessionOf.get(client)
    if (session !== undefined) {
      this.#sessionOf.delete(client)
      session.profile = client.profile
      const subscribed = allSubscribed(subscribedBy(client), session, greeting.limits.max_subscriptions)
      if (this.#ending.has(session) && !session.isBrief) sessions.end(session)
      else sessions.keep(session, subscribed, clock.monotonic() + sessionTtlMs)
    }
    client.isClosing = true
    clients.remove(client)
    subscriptions.unsubscribeFromAll(client)
    observers.clientDisconnected(client, ending)
    const { id: client_id, kind, address } = client
    const connected_ms = Math.round(clock.monotonic() - client.connectedAtMonotonic)
    logger.info({ event: 'client_disconnected', client_id, kind, ...ending, connected_ms, address })
  }

  /** A client whose admission fails because of an internal error must not keep its id. */
  #joinOrDepart(client: Client, addresses: readonly WantedJoin[]): Maybe<Welcome['failed_joins']> {
    try {
      return joinAll(this.#deps, client, addresses)
    } catch (problem) {
      this.#leave(client, endedByServer('internal'))
      throw problem
    }
  }

  #welcome(client: Client, secret: string, welcomed: Welcomed): void {
    const { event, client: view, ...rest } = this.#entering.welcome(client, welcomed)
    const welcome: Welcome = { event, client: view, session: secret, ...rest }
    this.#deps.delivery.toClient(client, this.#deps.frames.notice(welcome))
  }
}
