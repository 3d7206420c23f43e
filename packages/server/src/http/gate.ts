/**
 * What every request passes before it is answered, whatever it asks for: the name that it asks for, the rate of its
 * address, and for metrics the token.
 */
import { CodedError } from '@arqonbus/protocol'
import type { Rate } from '../limits/bucket.ts'
import { createAddressRate } from '../limits/per-address.ts'
import type { Logger } from '../observability/logger.ts'
import type { Metrics } from '../observability/metrics.ts'
import { HOST_SETTING, type IsHostAllowed, shownHost } from '../peers/hosts.ts'
import { type Answer, refusal } from './answer.ts'

/** What is checked. */
export type GateOptions = {
  readonly isHostAllowed: IsHostAllowed
  /** Requests of one address that are not for the API. */
  readonly rate: Rate | null
  /** True for the token that `/metrics` needs; undefined where it needs none. */
  readonly isMetricsToken: ((token: string) => boolean) | undefined
  readonly metrics: Pick<Metrics, 'limit'>
  readonly logger: Logger
  /** Milliseconds that never go back. */
  readonly now: () => number
}

/** A request, as far as it matters here. The API has limits of its own. */
type Arriving = {
  readonly request: Request
  readonly path: string
  readonly address: string
  readonly isApi: boolean
}

/** What a request is refused with; undefined where it passes. */
type Gate = (arriving: Arriving) => Answer | undefined

/**
 * The longest address of a request, with its query: none that is meant for this server is half as long. The runtime
 * refuses heads over 16 KiB.
 */
export const MAX_URL_LENGTH = 8192

/**
 * What orchestrators ask: it waits behind nothing, and has a rate of its own, so that no flood of other requests
 * refuses it.
 */
export const isProbe = (path: string): boolean => path === '/health' || path === '/ready'

/** Creates the gate. */
export function createGate(options: GateOptions): Gate {
  const { isHostAllowed, rate, isMetricsToken, metrics, logger, now } = options
  const [probeRate, otherRate] = [createAddressRate(rate, now), createAddressRate(rate, now)]

  const refuseHost = (name: string, address: string): Answer => {
    const host = shownHost(name)
    logger.info({ event: 'http_refused', reason: 'host', host, setting: HOST_SETTING, address })
    return refusal(new CodedError('host_not_allowed', { host, setting: HOST_SETTING }))
  }

  return ({ request: { url, headers }, path, address, isApi }) => {
    const host = headers.get('host')
    // Without a Host, as old load balancers ask in HTTP/1.0, it is no browser.
    if (host !== null && !isHostAllowed(host)) return refuseHost(host, address)
    if (url.length > MAX_URL_LENGTH) {
      metrics.limit('url_length')
      return refusal(new CodedError('uri_too_long', { limit_characters: MAX_URL_LENGTH }))
    }
    if (isApi) return undefined
    const waitMs = (isProbe(path) ? probeRate : otherRate)(address)
    if (waitMs !== undefined) {
      metrics.limit('http_rate')
      const problem = new CodedError('rate_limited', { limit: 'http_rate', per_second: rate!.perSecond }, waitMs)
      // What else the connection has sent is not worth an answer each.
      return refusal(problem, { connection: 'close' })
    }
    if (path === '/metrics' && isMetricsToken !== undefined && !isMetricsToken(bearerIn(headers)))
      return refusal('unauthenticated', { 'www-authenticate': 'Bearer' })
    return undefined
  }
}

/** The token of a request; the empty one where there is none. */
const bearerIn = (headers: Headers): string => /^Bearer +(\S+)$/i.exec(headers.get('authorization') ?? '')?.[1] ?? ''
