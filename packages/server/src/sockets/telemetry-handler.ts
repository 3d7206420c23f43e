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
import type { ConfiguredPermissions } from '../auth/configured-permissions.ts'
import { anonymous, type Identity, type Role } from '../auth/identity.ts'
import { Refused } from '../connections/refused.ts'
import type { Frames } from '../delivery/frames.ts'
import { type Clock, isoTime } from '../kit/clock.ts'
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
  readonly subscribers: TelemetrySubscribers
  readonly broadcast: TelemetryBroadcast
  readonly receive: FrameReader<SubscriberInbound>
  /** What every welcome says. */
  readonly greeting: () => Pick<TelemetryWelcome, 'node' | 'bus' | 'versions' | 'limits' | 'heartbeat_ms'>
  readonly isAdminKey: (key: string) => boolean
  readonly permissions: Pick<ConfiguredPermissions, 'bound'>
  /** True for the id of a client of the bus that is connected. */
  readonly isTaken: (clientId: string) => boolean
  readonly newClientId: () => string
}

type TelemetryArrival = SubscribeRequest & { readonly address: string }

/** Handles the connections of telemetry subscribers. */
export type TelemetryHandler = SocketHandler<TelemetryArrival, SubscriberInbound>

/** The port of the telemetry server. */
export type TelemetryPort = WebSocketPort<TelemetryArrival, SubscriberInbound>

/** Creates the handler of the connections of telemetry subscribers. */
export function createTelemetryHandler(deps: TelemetryHandlerDeps): TelemetryHandler {
  const { options, versions, clock, logger, frames, subscribers, broadcast, receive } = deps

  /**
   * Without a token everybody may subscribe, as everybody may read the two channels; a token is the admin key, as on
   * the bus.
   */
  const authenticate = (token: string | undefined): Role => {
    if (token === undefined) return 'user'
    if (deps.isAdminKey(token)) return 'admin'
    throw new Refused(new CodedError('unauthenticated'), 'unauthenticated')
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
      address,
    }),
    open(arrival, transport) {
      const role = authenticate(arrival.token)
      const profile: Profile = { clientType: 'human', ...arrival.profile }
      const id = freeId(arrival.clientId)
      const shown: Identity = { id, role, isProven: false, holder: undefined, isReadOnly: true, ...anonymous }
      const identity = deps.permissions.bound(shown, profile.clientType)
      const channels = channelsFor(identity)
      const subscriber: TelemetrySubscriber = {
        id,
        identity,
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
