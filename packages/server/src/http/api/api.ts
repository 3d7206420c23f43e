/**
 * The HTTP API: what a service that cannot hold a socket says to the bus, and what it is answered.
 *
 * Here is what HTTP brings with it: paths and methods, origins, and how many may call at once. What a call does is in `calls.ts`.
 */
import { CodedError } from '@arqonbus/protocol'
import type { Clock } from '../../kit/clock.ts'
import type { LimitName } from '../../kit/metric-labels.ts'
import type { Metrics } from '../../kit/metrics.ts'
import { openFiles } from '../../kit/system-limits.ts'
import { type Bucket, type Rate, takeFrom, waitMs } from '../../limits/bucket.ts'
import { type Answer, methodNotAllowed, refusal } from '../answer.ts'
import { createRouter } from '../router.ts'
import type { Calls, Exchange } from './calls.ts'
import { readCredentials } from './credentials.ts'
import { type Endpoint, endpoints } from './endpoints.ts'
import { originHeaders, preflight } from './origins.ts'
import { createMemory, networkOf } from './rates.ts'

/** The limits of all calls together. */
export type ApiLimits = {
  /** The longest body. */
  readonly maxMessageBytes: number
  /** Requests under way. */
  readonly apiRequests: number
  readonly apiStreams: number
  /** Requests from one address. */
  readonly apiRate: Rate | null
  readonly tokenInQuery: boolean
}

/** What the API needs. */
export type ApiDeps = {
  readonly limits: ApiLimits
  readonly clock: Clock
  readonly metrics: Pick<Metrics, 'limit'>
  readonly calls: Calls
  readonly streams: { readonly size: number }
  /** Whether a page of that origin may call, by the rule for sockets. */
  readonly isOriginAllowed: (origin: string | null, host: string | null) => boolean
}

/** A path of the API. */
export type ApiPath = {
  /** The template: what metrics call it. */
  readonly route: string
  /** Answers; what is no coded error is thrown. */
  answer(exchange: Exchange): Promise<Answer | Response>
}

/** The API: finds a path of its own. */
export type Api = (path: string) => ApiPath | undefined

const RETRY_AFTER_MS = 1000

/** Makes it. */
export function createApi({ limits, clock, metrics, calls, streams, isOriginAllowed }: ApiDeps): Api {
  const { apiRate } = limits
  const addressRates = createMemory<Bucket>(() => ({ tokens: apiRate?.burst ?? 0, at: clock.monotonic() }))
  let underway = 0

  const checkMost = (limit: LimitName, count: number, most: number) => {
    if (count < most) return
    metrics.limit(limit)
    throw new CodedError('rate_limited', { limit, most }, RETRY_AFTER_MS)
  }

  /** A stream keeps its connection, and so one of the open files. */
  const checkStreams = () => {
    checkMost('api_streams', streams.size, limits.apiStreams)
    if (!openFiles.isNearLimit()) return
    metrics.limit('open_files')
    throw new CodedError('rate_limited', { limit: 'open_files' }, RETRY_AFTER_MS)
  }

  const checkAddress = (exchange: Exchange) => {
    if (apiRate === null) return
    const bucket = addressRates(networkOf(exchange.address()))
    if (takeFrom(bucket, apiRate, clock.monotonic())) return
    metrics.limit('api_rate')
    throw new CodedError('rate_limited', { limit: 'api_rate', per_second: apiRate.perSecond }, waitMs(bucket, apiRate))
  }

  /** Before it is read: nobody holds memory for what is refused anyway. */
  const checkLength = ({ headers }: Request) => {
    if (Number(headers.get('content-length')) > limits.maxMessageBytes)
      throw new CodedError('message_too_large', { limit_bytes: limits.maxMessageBytes })
  }

  /** Within the limits of requests. What is no coded error is for the door. */
  const admit = async (endpoint: Endpoint, params: Params, exchange: Exchange): Promise<Answer | Response> => {
    const { request } = exchange
    underway++
    try {
      checkAddress(exchange)
      checkLength(request)
      checkMost('api_requests', underway - 1, limits.apiRequests)
      if (endpoint.kind === 'stream') checkStreams()
      const query = queryOf(request.url)
      const credentials = readCredentials(request.headers, query, limits.tokenInQuery)
      return await calls(endpoint, { exchange, params, query, credentials })
    } catch (problem) {
      if (!(problem instanceof CodedError)) throw problem
      if (problem.code === 'message_too_large') metrics.limit('message_bytes')
      return refusal(problem)
    } finally {
      underway--
    }
  }

  const answer = async (methods: Methods, params: Params, exchange: Exchange): Promise<Answer | Response> => {
    const { method, headers } = exchange.request
    const origin = headers.get('origin')
    if (origin !== null && !isOriginAllowed(origin, headers.get('host')))
      return refusal(new CodedError('forbidden', { path: '/headers/origin', expected: 'an origin that may call' }))
    const endpoint = methods.byName.get(method)
    const given = endpoint === undefined ? withoutEndpoint(method, methods) : await admit(endpoint, params, exchange)
    return origin === null ? given : withHeaders(given, originHeaders(origin))
  }

  const router = createRouter(byPath(endpoints))
  return (path) => {
    const match = router(path)
    if (match === undefined) return undefined
    const { target, params } = match
    return { route: target.route, answer: (exchange) => answer(target, params, exchange) }
  }
}

type Params = Readonly<Record<string, string>>

/** What a path can be asked for. */
type Methods = {
  readonly route: string
  readonly byName: ReadonlyMap<string, Endpoint>
  readonly names: readonly string[]
}

function byPath(all: readonly Endpoint[]): ReadonlyMap<string, Methods> {
  const paths = Map.groupBy(all, ({ path }) => path)
  return new Map([...paths].map(([route, ofPath]) => [route, methodsOf(route, ofPath)]))
}

function methodsOf(route: string, ofPath: readonly Endpoint[]): Methods {
  const byName = new Map(ofPath.map((endpoint) => [endpoint.method as string, endpoint]))
  const get = byName.get('GET')
  if (get !== undefined && get.kind !== 'stream') byName.set('HEAD', get)
  return { route, byName, names: [...byName.keys(), 'OPTIONS'] }
}

const withoutEndpoint = (method: string, { names }: Methods): Answer =>
  method === 'OPTIONS' ? preflight(names) : methodNotAllowed(names)

function withHeaders(answer: Answer | Response, headers: Readonly<Record<string, string>>): Answer | Response {
  if (!(answer instanceof Response)) return { ...answer, headers: { ...answer.headers, ...headers } }
  for (const [name, value] of Object.entries(headers)) answer.headers.set(name, value)
  return answer
}

/** Most calls have none. Nobody adds to a query. */
const NO_QUERY = new URLSearchParams()

function queryOf(url: string): URLSearchParams {
  const at = url.indexOf('?')
  return at < 0 ? NO_QUERY : new URLSearchParams(url.slice(at + 1))
}
