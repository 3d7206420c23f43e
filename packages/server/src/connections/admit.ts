/** Admission: a new connection becomes a client, perhaps the one that it was before (docs/protocol.md#connecting, docs/protocol.md#sessions). */
import { addressText, type CloseName, CodedError, parseAddress, type Welcome } from '@arqonbus/protocol'
import type { RoleOf } from '../auth/authenticate.ts'
import type { Role } from '../auth/identity.ts'
import type { Announcer, Directory } from '../cluster/cluster.ts'
import type { Delivery } from '../delivery/deliver.ts'
import type { Frames } from '../delivery/frames.ts'
import type { Clock } from '../kit/clock.ts'
import type { FairQueue, Pieces } from '../kit/fair-queue.ts'
import { awaitAll, chain, type Maybe } from '../kit/maybe.ts'
import type { Logger } from '../observability/logger.ts'
import type { Metrics } from '../observability/metrics.ts'
import type { Persistence } from '../persistence/persistence.ts'
import type { BusObserver } from '../state/bus-observer.ts'
import type { Clients } from '../state/clients.ts'
import type { Inboxes } from '../state/inboxes.ts'
import type { ChannelType, Client, Profile } from '../state/model.ts'
import { allSubscribed, type Session, type Sessions } from '../state/sessions.ts'
import { implySubscription } from '../state/subscription.ts'
import type { Transport } from '../state/transport.ts'
import { subscribedBy } from '../state/views.ts'
import type { Join } from '../subscriptions/join.ts'
import type { JoinRequest } from '../subscriptions/join-request.ts'
import type { Subscriptions } from '../subscriptions/subscriptions.ts'
import { type AdmitStream, createAdmitStream } from './admit-stream.ts'
import { createEntering, type Greeting } from './enter.ts'

/** What a connection says in its upgrade request, checked. */
export type ConnectRequest = {
  /** undefined: the bus makes one. */
  readonly clientId: string | undefined
  /** What it says about itself; what it leaves out is that of its session, or the default. */
  readonly profile: Partial<Profile>
  readonly joins: readonly { room: string; channel: string }[]
  readonly echo: boolean
  /** True where a resumed session's subscriptions start at once. */
  readonly isResumingLive: boolean
  readonly token: string | undefined
  readonly session: string | undefined
  /** Where it comes from, for the log; undefined where nobody knows. */
  readonly address?: string
}

/** A connection that is not let in: the error is told, then the close code. */
export class Refused extends Error {
  constructor(
    readonly error: CodedError,
    readonly close: CloseName,
  ) {
    super(error.message)
  }
}

/** What admission needs. */
export type AdmitDeps = {
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
  readonly clients: Clients
  /** Which client ids are connected, on all nodes. */
  readonly directory: Pick<Directory, 'find'>
  /** Ends connections on whichever node they are. */
  readonly announcer: Announcer
  readonly sessions: Sessions
  readonly inboxes: Inboxes
  readonly subscriptions: Pick<Subscriptions, 'unsubscribeFromAll'>
  readonly delivery: Delivery
  readonly frames: Frames
  readonly join: Join
  /** After a break a crowd comes back at once, and each joins all that it had. */
  readonly turns: FairQueue
  readonly greeting: Greeting
  readonly sessionTtlMs: number
  readonly roleOf: RoleOf
  /** Where sessions are kept over restarts. */
  readonly persistence: Pick<Persistence, 'recall'> | undefined
  /** Makes an id for a client that brings none. */
  readonly newClientId: () => string
  readonly observers: Pick<BusObserver, 'clientConnected' | 'clientDisconnected'>
}

/** Admission, and its reverse. */
export type Admission = {
  /**
   * Asks the store for the session that a connection or a call by HTTP brings, where it is not here; undefined where there is nothing to wait for. Fails with
   * `storage_unavailable` where nobody can say whether there is such a session, and, for a call, with `client_id_in_use` where another one is connected.
   */
  loadSession(
    arrival: Pick<ConnectRequest, 'clientId' | 'session'>,
    by: 'connection' | 'call',
  ): Promise<void> | undefined
  /** Lets a connection in and welcomes it, or throws `Refused`. The promise ends when it is welcomed. */
  admit(arrival: ConnectRequest, transport: Transport): { client: Client; welcomed: Maybe<void> }
  readonly admitStream: AdmitStream
  /** A connection or a stream has ended: its client leaves everything as soon as the loop has time, its session is kept. */
  depart(client: Client): void
  /** Those who wait to leave do so now. */
  departAll(): void
  /** Ends a connection and its session. */
  disconnect(client: Client, reason: string | undefined): void
}

/** What is joined with the welcome. */
type WantedJoin = Pick<JoinRequest, 'room' | 'channel' | 'type'>

/** A kept subscription that is joined again: a private channel must not have become an open one. */
const keptJoin = ([address, type]: readonly [string, ChannelType | undefined]): WantedJoin => ({
  ...parseAddress(address)!,
  ...(type === 'private' && { type }),
})

/** Makes it. */
export function createAdmission(deps: AdmitDeps): Admission {
  const { clock, clients, sessions, delivery, frames, logger } = deps
  const { max_subscriptions: maxSubscriptions } = deps.greeting.limits
  const entering = createEntering(deps)
  /** Of the clients that are connected. */
  const sessionOf = new Map<Client, Session>()
  /** Those whose connections have ended, and who wait for the loop to have time. A crowd that goes at once would hold it up. */
  const departing = new Set<Client>()

  const roleOf = (token: string | undefined): Role => {
    try {
      return deps.roleOf(token)
    } catch (problem) {
      throw problem instanceof CodedError ? new Refused(problem, 'unauthenticated') : problem
    }
  }

  /** An id with an open connection goes to whoever brings its session, and to nobody else. */
  const takeIdentity = (
    arrival: ConnectRequest,
  ): { id: string; session: Session; secret: string; isResumed: boolean } => {
    const id = arrival.clientId ?? deps.newClientId()
    const resumed =
      arrival.session === undefined || arrival.clientId === undefined ? undefined : sessions.find(id, arrival.session)
    const ghost = remaining(id)
    // A stream has no claim to its id: any page can open one.
    if (ghost?.kind === 'stream') takeOver(id)
    if (resumed !== undefined) {
      if (ghost?.kind === 'connection') takeOver(id)
      sessions.resume(resumed)
      return { id, session: resumed, secret: arrival.session!, isResumed: true }
    }
    if (ghost?.kind === 'connection')
      throw new Refused(new CodedError('client_id_in_use', { client_id: id }), 'client_id_in_use')
    const begun = sessions.begin(id, { clientType: 'human', ...arrival.profile }, arrival.session)
    return { id, ...begun, isResumed: false }
  }

  const depart = (client: Client): void => {
    if (clients.get(client.id) !== client) return
    const session = sessionOf.get(client)
    if (session !== undefined) {
      sessionOf.delete(client)
      session.profile = client.profile
      sessions.keep(
        session,
        allSubscribed(subscribedBy(client), session, maxSubscriptions),
        clock.monotonic() + deps.sessionTtlMs,
      )
    }
    client.isClosing = true
    clients.remove(client)
    deps.subscriptions.unsubscribeFromAll(client)
    deps.observers.clientDisconnected(client)
  }

  /** The client of that id that is still connected. One whose connection has ended leaves now, ahead of its turn. */
  const remaining: Directory['find'] = (id) => {
    const client = clients.get(id)
    if (client !== undefined && departing.has(client)) departNow(client)
    return deps.directory.find(id)
  }
  const departNow = (client: Client): void => {
    if (!departing.delete(client) || clients.get(client.id) !== client) return
    depart(client)
    logger.info({ event: 'client_disconnected', client_id: client.id })
  }

  const joinAll = (client: Client, addresses: readonly WantedJoin[]): Maybe<Welcome['failed_joins']> => {
    const failed: Welcome['failed_joins'] = []
    const fail = (channel: string) => (problem: unknown) => {
      if (!(problem instanceof CodedError)) throw problem
      failed.push({ channel, error: problem.body() })
    }
    function* joinEach(): Pieces<Maybe<unknown[]>> {
      const joins: Maybe<unknown>[] = []
      for (const [channel, address] of new Map(addresses.map((one) => [addressText(one), one]))) {
        try {
          // The welcome lists no heads.
          const joined = chain(yield* deps.join(client, client.identity, address, { heads: 0 }), (take) => take())
          joins.push(joined instanceof Promise ? joined.catch(fail(channel)) : undefined)
        } catch (problem) {
          fail(channel)(problem)
        }
        yield
      }
      return awaitAll(joins)
    }
    return chain(deps.turns.run(joinEach), () => failed)
  }

  /** A client whose admission fails for a reason of ours must not keep its id. */
  const joinOrDepart = (client: Client, addresses: readonly WantedJoin[]) => {
    try {
      return joinAll(client, addresses)
    } catch (problem) {
      depart(client)
      throw problem
    }
  }

  /** Ends the connection whose client id goes to another one. */
  const takeOver = (clientId: string) => deps.announcer.tell({ type: 'take_over', clientId })
  const disconnect = (client: Client, reason: string | undefined): void => {
    const session = sessionOf.get(client)
    delivery.close(client, 'disconnected', reason)
    depart(client)
    if (session !== undefined) sessions.end(session)
  }
  deps.announcer.listen((told) => {
    const client = clients.get(told.clientId)
    if (client === undefined) return
    if (told.type === 'disconnect') return disconnect(client, told.reason)
    delivery.close(client, 'taken_over')
    depart(client)
  })

  return {
    admitStream: createAdmitStream({ ...deps, entering, clientOf: remaining, takeOver }),
    loadSession: ({ clientId, session }, by) =>
      deps.persistence?.recall(clientId, session)?.then((restore) => {
        if (restore === undefined) return
        // It took the id while the store was away. The session that was there first is brought by the client that it belongs to.
        const ghost = remaining(clientId!)
        if (ghost !== undefined && by === 'call') throw new CodedError('client_id_in_use', { client_id: clientId })
        if (ghost !== undefined) takeOver(clientId!)
        restore()
      }),
    admit(arrival, transport) {
      const role = roleOf(arrival.token)
      const { id, session, secret, isResumed } = takeIdentity(arrival)
      const client = entering.enter({
        identity: { id, role, isProven: true, isReadOnly: false },
        kind: 'connection',
        profile: { ...session.profile, ...arrival.profile },
        echo: arrival.echo,
        isResumed,
        address: arrival.address,
        transport,
      })
      sessionOf.set(client, session)
      const inbox = deps.inboxes.get(session)
      if (inbox !== undefined) delivery.start(implySubscription(client, inbox.feed))
      const kept = [...session.subscribed]
      const wanted = [...arrival.joins, ...(arrival.isResumingLive ? kept.map(keptJoin) : [])]
      const welcomed = chain(joinOrDepart(client, wanted), (failed) => {
        const addresses = kept.map(([address]) => address)
        const { event, client: view, ...rest } = entering.welcome(client, { isResumed, kept: addresses, failed })
        const welcome: Welcome = { event, client: view, session: secret, ...rest }
        delivery.toClient(client, frames.notice(welcome))
      })
      return { client, welcomed }
    },
    depart(client) {
      if (clients.get(client.id) !== client) return
      client.isClosing = true
      departing.add(client)
      void deps.turns.take(() => departNow(client))
    },
    departAll() {
      for (const client of departing) departNow(client)
    },
    disconnect,
  }
}
