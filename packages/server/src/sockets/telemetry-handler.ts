/**
 * The port of the telemetry server: its connections become telemetry subscribers (docs/protocol.md#telemetry). No
 * message passes here.
 */
import {
  CodedError,
  type ProtocolVersions,
  TELEMETRY_CHANNEL,
  TELEMETRY_ROOM,
  type TelemetryWelcome,
} from '@arqonbus/protocol'
import { notGranted } from '../auth/access.ts'
import { type Authenticated, type Authentication, identityOf, type PassedHeaders } from '../auth/authenticate.ts'
import type { ConfiguredPermissions } from '../auth/configured-permissions.ts'
import type { Identity } from '../auth/identity.ts'
import type { AwaitToken } from '../connections/pending.ts'
import { orRefused, Refused } from '../connections/refused.ts'
import type { TokenExpiry } from '../connections/token-expiry.ts'
import type { Frames } from '../delivery/frames.ts'
import { type Clock, isoTime } from '../kit/clock.ts'
import { chain, type Maybe } from '../kit/maybe.ts'
import { randomId } from '../kit/random-id.ts'
import type { Accounts } from '../limits/accounts.ts'
import type { Logger } from '../observability/logger.ts'
import type { FrameReader } from '../receive/frame-reader.ts'
import { createInbound, type SubscriberInbound } from '../receive/inbound.ts'
import type { Profile } from '../state/model.ts'
import { profileView } from '../state/views.ts'
import type { TelemetryBroadcast } from '../telemetry/broadcast.ts'
import {
  permittedChannels,
  type TelemetryChannel,
  type TelemetrySubscriber,
  type TelemetrySubscribers,
} from '../telemetry/subscribers.ts'
import { topicsOf } from '../telemetry/topics.ts'
import { readTelemetryHandshake, type SubscribeRequest } from './handshake.ts'
import type { SocketHandler, WebSocketPort } from './socket-handler.ts'

/** What handling the connections of telemetry subscribers needs. */
type TelemetryHandlerDeps = {
  readonly options: { readonly tokenInQuery: boolean }
  readonly versions: ProtocolVersions
  readonly clock: Clock
  readonly logger: Logger
  readonly frames: Frames
  readonly accounts: Accounts
  readonly subscribers: TelemetrySubscribers
  readonly broadcast: TelemetryBroadcast
  readonly receive: FrameReader<SubscriberInbound>
  /** What every welcome says. */
  readonly greeting: () => Pick<TelemetryWelcome, 'node' | 'bus' | 'versions' | 'limits' | 'heartbeat_ms'>
  readonly authentication: Pick<Authentication, 'authenticate' | 'passed' | 'isAwaited'>
  readonly awaitToken: AwaitToken
  readonly expiry: Pick<TokenExpiry<TelemetrySubscriber>, 'watch'>
  readonly permissions: Pick<ConfiguredPermissions, 'bound'>
  /** True for the id of a client of the bus that is connected. */
  readonly isTaken: (clientId: string) => boolean
  readonly newClientId: () => string
}

type TelemetryArrival = SubscribeRequest & {
  readonly address: string
  /** Headers that decide who it is. */
  readonly headers?: PassedHeaders | undefined
  readonly authenticated?: Authenticated
}

/** Characters of the name of a subscriber that asks for none. */
const NEW_NAME = 12

/** Handles the connections of telemetry subscribers. */
export type TelemetryHandler = SocketHandler<TelemetryArrival, SubscriberInbound>

/** The port of the telemetry server. */
export type TelemetryPort = WebSocketPort<TelemetryArrival, SubscriberInbound>

/** Creates the handler of the connections of telemetry subscribers. */
export function createTelemetryHandler(deps: TelemetryHandlerDeps): TelemetryHandler {
  const { options, versions, clock, logger, frames, authentication, accounts, subscribers, broadcast, receive } = deps

  const authenticate = (arrival: TelemetryArrival): Maybe<TelemetryArrival> => {
    const { token, clientId, profile, headers, address } = arrival
    const presented = { by: 'telemetry', token, clientId, profile, headers, address } as const
    return orRefused(() =>
      chain(authentication.authenticate(presented), (authenticated) => ({
        ...arrival,
        authenticated,
        // Its id on the bus is another connection's: without one of its own it gets a new one.
        clientId: authenticated.idFor(clientId, () => randomId(NEW_NAME)),
      })),
    )
  }
  /** The channels whose events it may be told. */
  const channelsFor = (identity: Identity): readonly TelemetryChannel[] => {
    const channels = permittedChannels(identity)
    if (channels.length > 0) return channels
    throw new Refused(notGranted('telemetry', TELEMETRY_ROOM, TELEMETRY_CHANNEL), 'forbidden')
  }
  const freeId = (wanted: string | undefined): string => {
    const id = wanted ?? deps.newClientId()
    if (!subscribers.has(id) && !deps.isTaken(id)) return id
    throw new Refused(new CodedError('client_id_in_use', { client_id: id }), 'client_id_in_use')
  }

  return {
    read: ({ url, headers }, address) => ({
      ...readTelemetryHandshake(new URL(url), headers, { ...options, versions }),
      headers: authentication.passed(headers),
      address,
    }),
    prepare(arrival, firstFrame) {
      if (!authentication.isAwaited(arrival)) return authenticate(arrival)
      return deps.awaitToken(arrival.address, firstFrame).then((token) => authenticate({ ...arrival, token }))
    },
    open(arrival, transport) {
      const { authenticated } = arrival
      if (authenticated === undefined) throw new Error('a subscriber is admitted that was not authenticated')
      const profile: Profile = { clientType: 'human', ...arrival.profile, ...authenticated.credential?.profile }
      const id = freeId(arrival.clientId)
      const shown = identityOf(authenticated, id, { isProven: false, holder: undefined, isReadOnly: true })
      const identity = deps.permissions.bound(shown, profile.clientType)
      const channels = channelsFor(identity)
      const subscriber: TelemetrySubscriber = {
        id,
        identity,
        account: accounts.of(identity, arrival.address),
        profile,
        echo: arrival.echo,
        connectedAt: clock.now(),
        connectedAtMonotonic: clock.monotonic(),
        address: arrival.address,
        channels,
        topics: topicsOf(arrival.filter, channels),
        lane: subscribers.nextLane(),
        transport,
        lastHeard: clock.monotonic(),
        lag: undefined,
        isClosing: false,
      }
      broadcast.send(subscriber, frames.notice({ ...welcomeOf(subscriber, arrival), ...deps.greeting() }))
      broadcast.add(subscriber)
      deps.expiry.watch(subscriber)
      const { address } = subscriber
      logger.info({ event: 'telemetry_connected', client_id: id, client_type: profile.clientType, address })
      return createInbound(subscriber)
    },
    message(inbound, frame) {
      if (typeof frame === 'string') receive.text(inbound, frame)
      else receive.binary(inbound)
    },
    writable: ({ sender }) => broadcast.drained(sender),
    bufferLimits: broadcast.bufferLimits,
    buffered: (bytes, full) =>
      broadcast.buffered(
        bytes,
        full.map(({ sender }) => sender),
      ),
    alive({ sender }) {
      sender.lastHeard = clock.monotonic()
    },
    close(inbound, ending) {
      receive.ended(inbound, () => {
        broadcast.gone(inbound.sender)
        const { id: client_id, address, connectedAtMonotonic } = inbound.sender
        const connected_ms = Math.round(clock.monotonic() - connectedAtMonotonic)
        logger.info({ event: 'telemetry_disconnected', client_id, ...ending, connected_ms, address })
      })
    },
  }
}

/** The part of a welcome that concerns one subscriber. */
function welcomeOf(subscriber: TelemetrySubscriber, { filter }: SubscribeRequest) {
  const { events, clientEvents } = filter
  const isAll = events === undefined && clientEvents === undefined
  const at = isoTime(subscriber.connectedAt)
  const subscriptions = subscriber.channels.map((channel) => `${TELEMETRY_ROOM}:${channel}`)
  return {
    event: 'welcome' as const,
    client: {
      ...profileView(subscriber),
      state: 'connected' as const,
      connected_at: at,
      last_activity: at,
      subscriptions,
    },
    subscriptions,
    events: isAll ? null : [...(events ?? [])],
    client_events: isAll ? null : [...(clientEvents ?? [])],
  }
}
