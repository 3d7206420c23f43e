/**
 * The upgrade, the same at each port: what is refused before it, and what is refused after it so that a browser can
 * read the reason (docs/protocol.md#connecting).
 */
import { CodedError, type ProtocolVersions } from '@arqonbus/protocol'
import { openFiles } from '../kit/system-limits.ts'
import { createAddressCount, createAddressRate } from '../limits/per-address.ts'
import type { Logger } from '../observability/logger.ts'
import type { LimitName, RefusalReason } from '../observability/metric-labels.ts'
import type { Metrics } from '../observability/metrics.ts'
import { HOST_SETTING, shownHost } from '../peers/hosts.ts'
import { ORIGIN_SETTING, shownOrigin } from '../peers/origins.ts'
import type { Peers } from '../peers/peers.ts'
import { chooseSubprotocol, faultOfUpgrade, offeredIn } from './handshake.ts'
import type { PortDeps, PortOptions } from './socket-handler.ts'

/** The longest time that the runtime knows. */
const LONGEST_IDLE_SECONDS = 960

/**
 * The idle timeout of the runtime for a WebSocket, in seconds; 0 for none. Dead connections are found by the bus's own
 * heartbeat, and its pings keep this timeout from ever firing; with pings so rare that it could fire, it is off. It is
 * set because the runtime derives from it how long a closing connection may still read what is buffered, the close
 * frame last: 12 to 16 s with the longest timeout, 0 to 4 s with none.
 */
export const runtimeIdleSeconds = (pingIntervalMs: number): number =>
  2 * pingIntervalMs < LONGEST_IDLE_SECONDS * 1000 ? LONGEST_IDLE_SECONDS : 0

/** A refusal. */
type UpgradeRefusal = {
  readonly reason: RefusalReason
  readonly status: number
  /** What goes into the answer: a text, or an error with its code. */
  readonly body: string | CodedError
  readonly headers?: Record<string, string>
  /** The limit that was reached. */
  readonly limit?: LimitName
  /** What the log says beside the reason. */
  readonly details?: Record<string, unknown>
}

/** Decides about upgrades. */
export type Upgrades = ReturnType<typeof createUpgrades>

const RETRY_LATER = { 'retry-after': '5' }
const RETRY_AFTER_MS = 5000

/** Creates the checks of a port, which has `size` open connections. */
export function createUpgrades(options: PortOptions, { peers, clock, isDraining }: PortDeps, size: () => number) {
  const { names, connectionRate, most, limits } = options
  const takeOf = createAddressRate(connectionRate, clock.monotonic)
  const connectionsOf = createAddressCount()

  const refusalByCount = (address: string): UpgradeRefusal | undefined => {
    if (size() >= most.all)
      return { reason: 'full', status: 503, body: 'The bus is full.', headers: RETRY_LATER, limit: limits.all }
    if (connectionsOf.of(address) >= most.perAddress)
      return rateLimited('address_full', limits.perAddress, { most: most.perAddress }, RETRY_AFTER_MS)
    if (!openFiles.isNearLimit()) return undefined
    const body = 'The bus is near its limit of open files: raise that (ulimit -n, LimitNOFILE=).'
    return { reason: 'open_files', status: 503, body, headers: RETRY_LATER, limit: 'open_files' }
  }

  return {
    /** The address of a client, whose connection may come from a proxy. */
    addressOf: peers.clientAddress,
    /**
     * Counts a request of an address, and refuses it where these are too many. Called for each, before it waits for its
     * turn.
     */
    refusalByRate(address: string): UpgradeRefusal | undefined {
      const waitMs = takeOf(address)
      if (waitMs === undefined) return undefined
      return rateLimited('rate', 'connection_rate', { per_second: connectionRate!.perSecond }, waitMs)
    },
    /** Why a request is refused; undefined where it may be upgraded. */
    refusalOf(request: Request, address: string): UpgradeRefusal | undefined {
      return (
        refusalOfHead(request, names.refusal) ??
        refusalOfPeer(request.headers, peers) ??
        (isDraining()
          ? { reason: 'draining', status: 503, body: 'The bus is shutting down.', headers: RETRY_LATER }
          : refusalByCount(address))
      )
    },
    /** A connection of this address is open; returns what says that it has ended. */
    add: connectionsOf.add,
  }
}

/** What is no upgrade. */
function refusalOfHead(request: Request, name: string): UpgradeRefusal | undefined {
  if (request.headers.get('upgrade')?.toLowerCase() !== 'websocket') {
    const body = `This is ${name}: connect with ws://.`
    return { reason: 'bad_request', status: 426, body, headers: { upgrade: 'websocket' } }
  }
  const fault = faultOfUpgrade(request)
  return fault === undefined ? undefined : { reason: 'bad_request', status: 400, body: fault }
}

/** A name that is not the server's, or a page of another origin. */
function refusalOfPeer(headers: Headers, peers: Peers): UpgradeRefusal | undefined {
  const host = headers.get('host') ?? ''
  if (!peers.isHostAllowed(host)) {
    const details = { host: shownHost(host), setting: HOST_SETTING }
    return { reason: 'host', status: 421, body: new CodedError('host_not_allowed', details), details }
  }
  if (peers.mayCall(headers, false)) return undefined
  const details = { origin: shownOrigin(headers), setting: ORIGIN_SETTING }
  const expected = `an origin that may connect: ${ORIGIN_SETTING} lists them`
  const body = new CodedError('forbidden', { path: '/headers/origin', expected, ...details })
  return { reason: 'origin', status: 403, body, details }
}

function rateLimited(
  reason: RefusalReason,
  limit: LimitName,
  bound: Record<string, number>,
  waitMs: number,
): UpgradeRefusal {
  const headers = { 'retry-after': String(Math.ceil(waitMs / 1000)) }
  return { reason, status: 429, body: new CodedError('rate_limited', { limit, ...bound }, waitMs), headers, limit }
}

/** Counts and logs a refusal, and makes the answer to it. */
export const createRefuse =
  (metrics: Metrics, logger: Logger, labels: { readonly server?: string }) =>
  ({ reason, status, body, headers, limit, details }: UpgradeRefusal, address: string): Response => {
    metrics.refuseConnection(reason)
    if (limit !== undefined) metrics.limit(limit)
    logger.info({ event: 'connection_refused', ...labels, reason, status, address, ...details })
    const isText = typeof body === 'string'
    return new Response(isText ? `${body}\n` : `${JSON.stringify({ error: body.body() })}\n`, {
      status,
      headers: {
        // Kept for a further request, a connection would hold a descriptor that others need, and bring requests without
        // end.
        connection: 'close',
        ...(!isText && { 'content-type': 'application/json; charset=utf-8' }),
        ...headers,
      },
    })
  }

/** Upgrades a request; a refusal where it is no proper one. */
export function upgrade<Data>(
  server: { upgrade(request: Request, answer: { data: Data; headers: Record<string, string> }): boolean },
  request: Request,
  data: Data,
  versions: ProtocolVersions,
): UpgradeRefusal | undefined {
  const chosen = chooseSubprotocol(offeredIn(request.headers), versions)
  // Without a header of ours Bun answers with the first that was offered, which may be a token; an empty one is left
  // out.
  const answer = { data, headers: { 'sec-websocket-protocol': chosen ?? '' } }
  if (server.upgrade(request, answer)) return undefined
  return { reason: 'bad_request', status: 400, body: 'This is no proper WebSocket upgrade.' }
}

/** What a request says, or what is wrong with its parameters: the client gets that after the upgrade. */
export function saidBy<Said>(read: () => Said): Said | CodedError {
  try {
    return read()
  } catch (problem) {
    if (problem instanceof CodedError) return problem
    throw problem
  }
}
