/**
 * The HTTP API: what a service that cannot hold a socket says to the bus, and what it is answered.
 *
 * Here is what HTTP brings with it: paths and methods, origins, and how many may call at once. What a call does is in
 * `calls.ts`.
 */
import { CodedError } from '@arqonbus/protocol'
import type { Config } from '../../config/index.ts'
import type { Logger } from '../../observability/logger.ts'
import type { Metrics } from '../../observability/metrics.ts'
import { ORIGIN_SETTING, shownOrigin } from '../../peers/origins.ts'
import type { Peers } from '../../peers/peers.ts'
import { type Answer, methodNotAllowed, refusal } from '../answer.ts'
import { createRouter } from '../router.ts'
import { isEvent, refusedStream } from '../streams/refused-stream.ts'
import { type AuthenticateCall, NOBODY } from './authenticate-call.ts'
import { type CallLimitDeps, createCallLimits } from './call-limits.ts'
import type { Calls, Exchange } from './calls.ts'
import { originHeaders, preflight } from './cors.ts'
import { readCredentials } from './credentials.ts'
import { type Endpoint, endpoints } from './endpoints.ts'

/** What the API needs. */
type ApiDeps = CallLimitDeps & {
  readonly limits: Pick<Config, 'maxMessageBytes' | 'apiBatchBytes' | 'tokenInQuery'>
  readonly logger: Pick<Logger, 'info' | 'error'>
  readonly metrics: Pick<Metrics, 'limit' | 'streamRefused'>
  readonly calls: Calls
  readonly authenticateCall: AuthenticateCall
  /** Whether a page may have caused this request, by the rule for sockets. */
  readonly mayCall: Peers['mayCall']
  /** A number from 0 to 1. */
  readonly random: () => number
}

/** A path of the API. */
type ApiPath = {
  /** The template: what metrics call it. */
  readonly route: string
  /** Bytes of the longest body that is read with this method. */
  longestBody(method: string): number
  /** What a page of another origin needs in the headers of a refusal, so that it can read it. */
  originHeaders(headers: Headers): Readonly<Record<string, string>>
  /** Answers; what is no coded error is thrown. */
  answer(exchange: Exchange): Promise<Answer | Response>
}

/** The API: finds a path of its own. */
export type Api = (path: string) => ApiPath | undefined

/** Creates the API. */
export function createApi(deps: ApiDeps): Api {
  const { limits, metrics, logger, calls, authenticateCall, mayCall, random } = deps
  const callLimits = createCallLimits(deps)

  const longestBody = (kind: Endpoint['kind'] | undefined): number =>
    kind === 'batch' ? limits.apiBatchBytes : limits.maxMessageBytes

  const checkLength = ({ kind }: Endpoint, { headers }: Request) => {
    const limit = longestBody(kind)
    if (Number(headers.get('content-length')) > limit) throw new CodedError('message_too_large', { limit_bytes: limit })
  }

  const refuse = (problem: unknown, endpoint: Endpoint, { request, address }: Exchange): Answer | Response => {
    const isStream = endpoint.kind === 'stream'
    if (!isStream && !(problem instanceof CodedError)) throw problem
    const error = problem instanceof CodedError ? problem : new CodedError('internal_error')
    if (error !== problem) logger.error({ event: 'http_failed', path: endpoint.path, address, error: problem })
    if (error.code === 'message_too_large') metrics.limit('message_bytes')
    if (!isStream || !isEvent(error, request.headers)) return refusal(error)
    metrics.streamRefused(error.code)
    return refusedStream(error, random())
  }

  /** Within the limits of requests. What is no coded error is for the HTTP server. */
  const admit = async (endpoint: Endpoint, params: Params, exchange: Exchange): Promise<Answer | Response> => {
    const { request, address } = exchange
    const end = callLimits.begin(address)
    try {
      callLimits.check(address)
      checkLength(endpoint, request)
      if (endpoint.kind === 'stream') callLimits.checkStream(address)
      const query = queryOf(request.url)
      if (endpoint.kind === 'openapi') return await calls(endpoint, { exchange, params, query, credentials: NOBODY })
      const shown = readCredentials(request.headers, query, limits.tokenInQuery)
      const authenticating = authenticateCall(endpoint, { shown, query, headers: request.headers, address })
      // Most calls are authenticated at once: they do not wait for a turn.
      const credentials = authenticating instanceof Promise ? await authenticating : authenticating
      return await calls(endpoint, { exchange, params, query, credentials })
    } catch (problem) {
      return refuse(problem, endpoint, exchange)
    } finally {
      end()
    }
  }

  const answer = async (methods: Methods, params: Params, exchange: Exchange): Promise<Answer | Response> => {
    const { method, headers } = exchange.request
    const endpoint = methods.byName.get(method)
    const isReading = endpoint === undefined || (endpoint.method === 'GET' && endpoint.kind !== 'stream')
    if (!mayCall(headers, isReading)) return refuseForeign(methods.route, exchange)
    const given = endpoint === undefined ? withoutEndpoint(method, methods) : await admit(endpoint, params, exchange)
    return headers.has('origin') ? withHeaders(given, headersFor(headers)) : given
  }

  const refuseForeign = (route: string, { request, address }: Exchange): Answer => {
    const origin = shownOrigin(request.headers)
    logger.info({ event: 'http_refused', reason: 'origin', origin, setting: ORIGIN_SETTING, route, address })
    const expected = `an origin that may call: ${ORIGIN_SETTING} lists them`
    return refusal(new CodedError('forbidden', { path: '/headers/origin', expected, setting: ORIGIN_SETTING }))
  }

  const router = createRouter(byPath(endpoints))
  return (path) => {
    const match = router(path)
    if (match === undefined) return undefined
    const { target, params } = match
    return {
      route: target.route,
      longestBody: (method) => longestBody(target.byName.get(method)?.kind),
      originHeaders: (headers) => (mayCall(headers, false) ? headersFor(headers) : {}),
      answer: (exchange) => answer(target, params, exchange),
    }
  }
}

function headersFor(headers: Headers): Readonly<Record<string, string>> {
  const origin = headers.get('origin')
  return origin === null ? {} : originHeaders(origin)
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

/** Most calls have no query. It is never changed. */
const NO_QUERY = new URLSearchParams()

function queryOf(url: string): URLSearchParams {
  const at = url.indexOf('?')
  return at < 0 ? NO_QUERY : new URLSearchParams(url.slice(at + 1))
}
