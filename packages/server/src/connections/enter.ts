/** What connections and streams have in common when they become clients: they are listed, reported and welcomed. */
import type { Welcome } from '@arqonbus/protocol'
import type { ConfiguredPermissions } from '../auth/configured-permissions.ts'
import type { Clock } from '../kit/clock.ts'
import { fitting } from '../kit/text.ts'
import type { Logger } from '../observability/logger.ts'
import type { Metrics } from '../observability/metrics.ts'
import type { BusObserver } from '../state/bus-observer.ts'
import type { Clients } from '../state/clients.ts'
import type { Client } from '../state/model.ts'
import { clientView, subscriptionsOf } from '../state/views.ts'

/** What `welcome` says of the bus, the same for every client. */
export type Greeting = Pick<Welcome, 'node' | 'versions' | 'limits' | 'heartbeat_ms'> & {
  /** Known when the log has been reached. */
  bus: () => Welcome['bus']
  durability: () => Welcome['durability']
}

/** What entering needs. */
export type EnterDeps = {
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
  readonly clients: Clients
  readonly greeting: Greeting
  readonly observers: Pick<BusObserver, 'clientConnected'>
  readonly permissions: Pick<ConfiguredPermissions, 'bound'>
}

/** What a client is created with. */
type NewClient = Pick<Client, 'identity' | 'account' | 'kind' | 'seq' | 'profile' | 'echo' | 'transport' | 'address'>

/** A client to be. */
type Entrant = Omit<NewClient, 'seq'> & { readonly isResumed: boolean }

/** What a welcome says of this client alone. */
export type Welcomed = {
  readonly isResumed: boolean
  readonly kept: readonly string[]
  readonly failed: Welcome['failed_joins']
}

/** Creates a client, which is in no list. */
export function createClient(own: NewClient, clock: Clock): Client {
  const { identity, account, kind, seq, profile, echo, transport, address } = own
  const now = clock.monotonic()
  return {
    id: identity.id,
    kind,
    seq,
    profile,
    identity,
    account,
    echo,
    connectedAt: clock.now(),
    connectedAtMonotonic: now,
    lastActivity: now,
    lastHeard: now,
    frames: 0,
    framesMeasured: 0,
    framesPerSecond: 0,
    behindSince: undefined,
    transport,
    address,
    channels: new Map(),
    rooms: new Map(),
    implied: new Map(),
    lastChannel: undefined,
    caller: undefined,
    isClosing: false,
  }
}

/** What a welcome takes beside its lists, at most: most of it is a profile of characters that JSON escapes. */
const WELCOME_BYTES = 32 * 1024

/** Entering the bus. */
export type Entering = ReturnType<typeof createEntering>

/** Creates what connections and streams enter by. */
export function createEntering({ clock, logger, metrics, clients, greeting, observers, permissions }: EnterDeps) {
  /** Bytes of each of the four lists in a welcome: its share of a frame. */
  const listBytes = (greeting.limits.max_frame_bytes - WELCOME_BYTES) / 4
  return {
    /** Creates the client and lists it. */
    enter({ isResumed, ...own }: Entrant): Client {
      const identity = permissions.bound(own.identity, own.profile.clientType)
      const client = createClient({ ...own, identity, seq: clients.nextSeq() }, clock)
      clients.add(client)
      metrics.connected++
      const { id: client_id, kind, address } = client
      const { clientType: client_type } = client.profile
      logger.info({ event: 'client_connected', client_id, client_type, kind, resumed: isResumed, address })
      observers.clientConnected(client, isResumed)
      return client
    },
    /** Its welcome, but for the session. */
    welcome(client: Client, { isResumed, kept, failed }: Welcomed): Omit<Welcome, 'session'> {
      const subscriptions = subscriptionsOf(client, client.identity)
      const joined = new Set(subscriptions)
      return {
        event: 'welcome',
        client: { ...clientView(client, client.identity, clock), subscriptions: fitting(subscriptions, listBytes) },
        ...greeting,
        bus: greeting.bus(),
        durability: greeting.durability(),
        resumed: isResumed,
        subscriptions: fitting(subscriptions, listBytes),
        kept_subscriptions: fitting(
          kept.filter((address) => !joined.has(address)),
          listBytes,
        ),
        failed_joins: fitting(failed, listBytes),
      }
    },
  }
}
