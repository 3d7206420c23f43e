/**
 * The upgrade, the same at each port: what is refused before it, and what is refused after it so that a browser can
 * read the reason (docs/protocol.md#connecting).
 */
import { CodedError, errorCodes, type ProtocolVersions } from '@arqonbus/protocol'
import { Refused } from '../connections/refused.ts'
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

/** A refusal before the upgrade. */
type UpgradeRefusal = {
  readonly reason: RefusalReason
  readonly error: CodedError
  readonly headers?: Record<string, string>
  /** The limit that was reached, and the setting that decides. */
  readonly limit?: { readonly name: LimitName; readonly setting: string }
}

/** Decides about upgrades. */
export type Upgrades = ReturnType<typeof createUpgrades>

const RETRY_AFTER_MS = 5000

/** Creates the checks of a port, which has `size` open connections. */
export function createUpgrades(options: PortOptions, deps: PortDeps, size: () => number) {
  const { peers, clock, isDraining } = deps
  const { names, connectionRate, most, limits, settings } = options
  const takeOf = createAddressRate(connectionRate, clock.monotonic)
  const connectionsOf = createAddressCount()

  const refusalByCount = (address: string): UpgradeRefusal | undefined => {
    if (size() >= most.all) return noRoom('full', limits.all, settings.all)
    if (connectionsOf.of(address) >= most.perAddress)
      return rateLimited('address_full', limits.perAddress, settings.perAddress, RETRY_AFTER_MS, {
        most: most.perAddress,
      })
    return openFiles.isNearLimit() ? noRoom('open_files', 'open_files', 'ulimit -n') : undefined
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
      return rateLimited('rate', 'connection_rate', settings.rate, waitMs, { per_second: connectionRate!.perSecond })
    },
    /**
     * Why a request is refused before the upgrade; undefined if it may be upgraded. A full or draining server refuses it
     * here, with a 503, because a load balancer can send it to another server then.
     */
    refusalOf(request: Request, address: string): UpgradeRefusal | undefined {
      const fault = refusalOfHead(request, names.refusal)
      if (fault !== undefined) return fault
      const waitMs = deps.authWaitMs(address)
      if (waitMs !== undefined)
        return rateLimited('auth_failures', 'auth_failures', 'ARQONBUS_AUTH_FAILURE_RATE', waitMs, {})
      if (!isDraining()) return refusalByCount(address)
      return { reason: 'draining', error: new CodedError('shutting_down', undefined, RETRY_AFTER_MS) }
    },
    /** Why a request is refused once it is upgraded, so that its page can read the reason. */
    refusalOfPeer: (headers: Headers): Refused | undefined => refusalOfPeer(headers, peers),
    /** A connection of this address is open; returns what says that it has ended. */
    add: connectionsOf.add,
  }
}

/** Refuses a request that is not a valid upgrade. */
function refusalOfHead(request: Request, name: string): UpgradeRefusal | undefined {
  if (request.headers.get('upgrade')?.toLowerCase() !== 'websocket') {
    const error = new CodedError('upgrade_required', undefined, undefined, `This is ${name}: connect with ws://.`)
    return { reason: 'bad_request', error, headers: { upgrade: 'websocket' } }
  }
  const fault = faultOfUpgrade(request)
  return fault === undefined ? undefined : notAnUpgrade(fault)
}

const notAnUpgrade = (fault?: string): UpgradeRefusal => ({
  reason: 'bad_request',
  error: new CodedError('invalid_upgrade', undefined, undefined, fault),
})

/** A name that is not the server's, or a page of another origin. */
function refusalOfPeer(headers: Headers, peers: Peers): Refused | undefined {
  const host = headers.get('host') ?? ''
  if (!peers.isHostAllowed(host))
    return new Refused(new CodedError('host_not_allowed', { host: shownHost(host), setting: HOST_SETTING }), 'host')
  if (peers.mayCall(headers, false)) return undefined
  const details = { origin: shownOrigin(headers), setting: ORIGIN_SETTING }
  const message = `This page may not connect: ${ORIGIN_SETTING} lists the origins that may.`
  return new Refused(new CodedError('forbidden', details, undefined, message), 'origin')
}

function noRoom(reason: RefusalReason, name: LimitName, setting: string): UpgradeRefusal {
  const error = new CodedError('too_many_connections', { limit: name }, RETRY_AFTER_MS)
  return { reason, error, limit: { name, setting } }
}

function rateLimited(
  reason: RefusalReason,
  name: LimitName,
  setting: string,
  waitMs: number,
  bound: Record<string, number>,
): UpgradeRefusal {
  return { reason, error: new CodedError('rate_limited', { limit: name, ...bound }, waitMs), limit: { name, setting } }
}

/** The `Origin` of a request as logs show it; undefined for a program, which sends none. */
export const originIn = (headers: Headers): string | undefined =>
  headers.has('origin') ? shownOrigin(headers) : undefined

/** Counts and logs a refusal, and makes the answer to it: one line of text, or JSON where that is asked for. */
export const createRefuse =
  (metrics: Metrics, logger: Logger, labels: { readonly server?: string }) =>
  ({ reason, error, headers, limit }: UpgradeRefusal, address: string, asked: Headers): Response => {
    const { code, message, retryAfterMs } = error
    const { status } = errorCodes[code]
    metrics.refuseConnection(reason)
    if (limit !== undefined) metrics.limit(limit.name)
    const about = { reason, status, code, address, origin: originIn(asked), setting: limit?.setting }
    logger.info({ event: 'connection_refused', ...labels, ...about })
    const isJson = /\bjson\b/i.test(asked.get('accept') ?? '')
    return new Response(isJson ? `${JSON.stringify({ error: error.body() })}\n` : `${code}: ${message}\n`, {
      status,
      headers: {
        // Kept for a further request, a connection would hold a descriptor that others need, and bring requests without
        // end.
        connection: 'close',
        'content-type': `${isJson ? 'application/json' : 'text/plain'}; charset=utf-8`,
        ...(retryAfterMs !== undefined && { 'retry-after': String(Math.ceil(retryAfterMs / 1000)) }),
        ...headers,
      },
    })
  }

/** Upgrades a request; the refusal if it is not a valid upgrade. */
export function upgrade<Data>(
  server: { upgrade(request: Request, answer: { data: Data; headers: Record<string, string> }): boolean },
  request: Request,
  data: Data,
  versions: ProtocolVersions,
): UpgradeRefusal | undefined {
  const { selected } = chooseSubprotocol(offeredIn(request.headers), versions)
  // Without a header of ours Bun answers with the first that was offered; an empty one is left out.
  const answer = { data, headers: { 'sec-websocket-protocol': selected ?? '' } }
  return server.upgrade(request, answer) ? undefined : notAnUpgrade()
}

/** What a request says, or what is wrong with its parameters: the client gets that after the upgrade. */
export function saidBy<Said>(read: () => Said): Said | Refused {
  try {
    return read()
  } catch (problem) {
    if (problem instanceof CodedError) return new Refused(problem, 'bad_parameter')
    throw problem
  }
}
