/**
 * Creates the way from the clients to the log: admission, joins, commands, publishes, and the frames that ask for them.
 */
import { WHOLE_ROOM } from '@arqonbus/protocol'
import { createCommands } from '../commands/index.ts'
import { Admission } from '../connections/admit.ts'
import type { AwaitToken } from '../connections/pending.ts'
import { createRenew } from '../connections/renew.ts'
import { createRevoke } from '../connections/revoke.ts'
import { StreamTickets } from '../connections/stream-tickets.ts'
import { TokenExpiry } from '../connections/token-expiry.ts'
import { commandRates } from '../limits/command-rate.ts'
import type { Persistence } from '../persistence/persistence.ts'
import type { StoreRevocation } from '../persistence/redis-revocations.ts'
import type { BusLog } from '../publish/draft.ts'
import { createOpenInbox, createOwnInbox } from '../publish/inbox.ts'
import { createLoadTarget } from '../publish/load-target.ts'
import { createPublish } from '../publish/publish.ts'
import { ReplyRights } from '../publish/reply-rights.ts'
import { createRun } from '../receive/execute.ts'
import { Receive } from '../receive/receive.ts'
import type { Client } from '../state/model.ts'
import { createRoomResolver } from '../state/resolve.ts'
import { createJoin } from '../subscriptions/join.ts'
import { Renewal } from '../subscriptions/renewal.ts'
import type { Telemetry } from '../telemetry/relay.ts'
import type { TelemetrySubscriber } from '../telemetry/subscribers.ts'
import type { BusInfo } from './bus-info.ts'
import type { Core } from './core.ts'
import type { Figures } from './figures.ts'
import type { Outbound } from './outbound.ts'
import type { Ports } from './ports.ts'
import type { State } from './state.ts'

/** What exists before. */
export type InboundPathParts = {
  readonly log: BusLog
  readonly state: State
  readonly outbound: Outbound
  readonly persistence: Persistence | undefined
  readonly telemetry: Telemetry
  readonly info: BusInfo
  readonly figures: Figures
  readonly ports: Ports
  /** Waits for the tokens of connections that bring none. */
  readonly awaitToken: AwaitToken
  /** Stores a revocation; undefined where there is no store. */
  readonly storeRevocation: StoreRevocation | undefined
  /** Ends telemetry subscribers. */
  readonly endSubscribers: (isEnded: (subscriber: TelemetrySubscriber) => boolean, reason: string) => void
}

/** Why a connection is closed, for its client. */
const REVOKED = 'the token is revoked'

/** The way from the clients to the log. */
export type InboundPath = ReturnType<typeof createInboundPath>

/** Creates the way from the clients to the log. */
export function createInboundPath(core: Core, parts: InboundPathParts) {
  const { config, observers } = core
  const { log, state, outbound, persistence, info, figures, awaitToken } = parts
  const { rooms } = state
  const resolver = createRoomResolver({
    rooms,
    creation: config,
    created: observers.channelCreated,
    isUnsure: () => persistence?.isUnsure() === true,
  })
  const openInbox = createOpenInbox({ ...state, delivery: outbound.delivery, opened: observers.sessionChanged })
  const inboxOf = createOwnInbox(openInbox)
  const join = createJoin({
    ...core,
    ...outbound,
    resolver,
    inboxOf,
    persistence,
    findClosedLog: log.closed,
    keptOptions: (client, address) =>
      client.kind === 'connection' ? state.sessions.get(client.id)?.subscribed.get(address)?.options : undefined,
  })
  const renewal = new Renewal({ ...core, ...state, ...outbound })
  const { authentication, revocations } = core.auth
  const expiry = new TokenExpiry<Client>({
    clock: core.clock,
    tokenExpiryNoticeMs: config.tokenExpiryNoticeMs,
    expiring: (client, inMs) =>
      outbound.delivery.toClient(client, core.frames.notice({ event: 'token_expiring', expires_in_ms: inMs })),
    expired: (client) => outbound.delivery.close(client, 'unauthenticated', 'the token has expired'),
  })
  const admission = new Admission({
    ...core,
    ...state,
    ...outbound,
    join,
    persistence,
    expiry,
    revocations,
    maxConnectionsPerSubject: config.maxConnectionsPerSubject,
    sessionTtlMs: config.sessionTtlMs,
    greeting: info.greeting,
  })
  const tickets = new StreamTickets({ ...core, most: config.maxStreamTickets })
  const renew = createRenew({
    ...core,
    authentication,
    expiry,
    renewal,
    sessionChanged: observers.sessionChanged,
  })
  const revokeTokens = createRevoke({
    ...core,
    ...state,
    revocations,
    disconnect: (client) => admission.disconnect(client, REVOKED, 'unauthenticated'),
    others(isRevoked) {
      core.auth.forgetDecisions()
      tickets.revoke(isRevoked)
      parts.endSubscribers(({ identity, id }) => isRevoked(identity.credential, id), REVOKED)
    },
    store: parts.storeRevocation,
  })
  const publish = createPublish({
    ...core,
    ...outbound,
    log,
    resolver,
    historySize: config.historySize,
    rewriteRecord:
      persistence &&
      (({ room, channel }) => persistence.roomChanged(room, channel === WHOLE_ROOM ? undefined : channel)),
    trace: core.tracing?.publish,
    openInbox,
    ownInbox: inboxOf,
    replyRights: new ReplyRights(config.maxReplyRights, core.metrics),
    identityOf: (clientId) => state.clients.get(clientId)?.identity,
    isKnown: state.directory.isKnown,
    isUnsureOfSessions: () => persistence?.isUnsureOfSessions() === true,
    routed: observers.messageRouted,
  })
  const rateOf = commandRates(config)
  const commands = createCommands({
    ...core,
    ...state,
    ...outbound,
    resolver,
    join,
    persistence,
    inboxOf,
    renew,
    revokeTokens,
    created: observers.channelCreated,
    creation: config,
    durability: log.durability,
    rateOf,
    maxMetadataBytes: config.maxMetadataBytes,
    retention: config,
    maxListBytes: info.maxListBytes,
    connections: () => parts.ports.bus.connections,
    server: info.server,
    storage: figures.storage,
    figures: figures.figures,
  })
  const receive = new Receive({
    ...core,
    ...outbound,
    limits: config,
    publish,
    loadTarget: persistence && createLoadTarget(persistence),
    run: createRun({
      ...core,
      commands,
      replies: outbound.replies,
      rateOf,
      trace: core.tracing?.command,
      ran(client, command, refused) {
        observers.commandRun(client)
        if (refused === 'rate_limited') observers.frameRefused(client, refused, {}, command)
      },
    }),
    isCongested: () => log.isCongested,
    relayTelemetry: parts.telemetry.fromClient,
  })
  return { resolver, authentication, awaitToken, tickets, expiry, admission, receive, renewal }
}
