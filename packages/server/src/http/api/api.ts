/**
 * The HTTP API: what a service that cannot hold a socket says to the bus, and what it is answered.
 *
 * A call becomes the frame that a client would have sent, and takes the way of one: nothing is checked or done here that the bus does for its clients. What
 * is here is HTTP: origins, media types, bodies, status codes, and how many may call at once.
 */
import { CodedError, WHOLE_ROOM } from '@arqonbus/protocol'
import type { Admission } from '../../bus/clients/admit.ts'
import type { AdmitGuest, Credentials } from '../../bus/clients/guests.ts'
import { createIntake, type Receive } from '../../bus/receive/receive.ts'
import type { Clock } from '../../kit/clock.ts'
import type { Maybe } from '../../kit/maybe.ts'
import type { LimitName } from '../../kit/metric-table.ts'
import type { Metrics } from '../../kit/metrics.ts'
import { type Bucket, type Rate, takeFrom, waitMs } from '../../limits/bucket.ts'
import { type Answer, jsonText, methodNotAllowed, refusal } from '../answer.ts'
import { createRouter } from '../router.ts'
import type { Streams } from '../streams/streams.ts'
import { readBody } from './body.ts'
import { readCredentials, takeOne, wrong } from './credentials.ts'
import { type Endpoint, endpoints } from './endpoints.ts'
import { commandFrame, messageFrame } from './frames.ts'
import { openapiText } from './openapi.ts'
import { originHeaders, preflight } from './origins.ts'
import { parametersIn } from './query.ts'
import { type ClientBuckets, createMemory, networkOf } from './rates.ts'
import { createSlot } from './slot.ts'

/** The limits of calls. */
export type ApiLimits = {
  readonly maxMessageBytes: number
  readonly maxDepth: number
  /** Requests under way. */
  readonly apiRequests: number
  readonly apiStreams: number
  /** Requests from one address. */
  readonly apiRate: Rate | null
  readonly apiBodyTimeoutMs: number
  readonly tokenInQuery: boolean
}

/** What the API needs. */
export type ApiDeps = {
  readonly limits: ApiLimits
  readonly clock: Clock
  readonly metrics: Pick<Metrics, 'limit'>
  readonly receive: Receive
  readonly admission: Pick<Admission, 'recall'>
  readonly admitGuest: AdmitGuest
  readonly streams: Streams
  readonly isDraining: () => boolean
  /** Whether a page of that origin may call, by the rule for sockets. */
  readonly isOriginAllowed: (origin: string | null, host: string | null) => boolean
}

/** A request, with what only its connection knows. */
export type Exchange = {
  readonly request: Request
  /** Where it comes from. */
  readonly address: () => string
  /** The connection may be silent from now on, for as long as it takes. */
  readonly keepOpen: () => void
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

/** One call: a request, and what was read of it. */
type Call = Exchange & {
  readonly params: Readonly<Record<string, string>>
  readonly query: URLSearchParams
  readonly credentials: Credentials
}

const RETRY_AFTER_MS = 1000

/** Makes it. */
export function createApi(deps: ApiDeps): Api {
  const { limits, clock, metrics, receive } = deps
  const bodyLimits = { maxBytes: limits.maxMessageBytes, timeoutMs: limits.apiBodyTimeoutMs }
  const addressRates = createMemory<Bucket>(() => ({ tokens: limits.apiRate!.burst, at: clock.now() }))
  const clientRates = createMemory<ClientBuckets>(() => ({ rate: undefined, commandRates: undefined }))
  let underway = 0

  const tooMany = (limit: LimitName, most: number): CodedError => {
    metrics.limit(limit)
    return new CodedError('rate_limited', { limit, most }, RETRY_AFTER_MS)
  }

  const checkAddress = (address: string) => {
    const { apiRate } = limits
    if (apiRate === null) return
    const bucket = addressRates(networkOf(address))
    if (takeFrom(bucket, apiRate, clock.now())) return
    metrics.limit('api_rate')
    throw new CodedError('rate_limited', { limit: 'api_rate', per_second: apiRate.perSecond }, waitMs(bucket, apiRate))
  }

  /** Has the bus take a frame of a guest, as if it came by a connection of its own, and answers what it answers. */
  const ask = async (call: Call, frameFrom: (clientId: string, now: number) => string): Promise<Answer> => {
    const { credentials } = call
    if (credentials.session !== undefined) await (deps.admission.recall(credentials) as Maybe<void>)
    const slot = createSlot()
    const client = deps.admitGuest(credentials, slot.caller)
    const buckets = clientRates(credentials.clientId ?? `@${networkOf(call.address())}`)
    const intake = Object.assign(createIntake(client), buckets)
    receive.text(intake, frameFrom(client.id, clock.now()))
    buckets.rate = intake.rate
    buckets.commandRates = intake.commandRates
    const answer = slot.answer()
    if (answer instanceof Promise) call.keepOpen()
    return answer
  }

  const publish = async (call: Call): Promise<Answer> => {
    const { room = '', channel = '' } = call.params
    refuseLeftovers(call.query)
    const body = await readBody(call.request, bodyLimits)
    const isNamed = call.credentials.clientId !== undefined
    return ask(call, (from, now) => messageFrame(body, { room, channel, from }, { now, isNamed, ...limits }))
  }

  const query = (call: Call, { command }: Endpoint & { kind: 'query' }): Promise<Answer> => {
    const parameters = parametersIn(call.query, command, call.params)
    return ask(call, (from, now) => commandFrame(command.name, parameters, from, now))
  }

  const command = async (call: Call, { command }: Endpoint & { kind: 'command' }): Promise<Answer> => {
    refuseLeftovers(call.query)
    const body = await readBody(call.request, bodyLimits)
    const parameters = body.trim() === '' ? '{}' : body
    // What is no JSON goes to its reader by itself, who says where it is wrong.
    return ask(call, (from, now) =>
      isJson(parameters) ? commandFrame(command.name, parameters, from, now) : parameters,
    )
  }

  const stream = async (call: Call): Promise<Response> => {
    const { room = '', channel = '' } = call.params
    const { query, request, credentials } = call
    if (channel === WHOLE_ROOM) throw wrong('channel', 'one channel: a stream goes on from one position')
    const since = takeOne(query, 'since')
    const sinceId = takeOne(query, 'since_id')
    refuseLeftovers(query)
    if (deps.isDraining()) throw new CodedError('shutting_down')
    if (deps.streams.size >= limits.apiStreams) throw tooMany('api_streams', limits.apiStreams)
    // A browser that comes back asks for the same address, with what it got last in the header.
    const last = request.headers.get('last-event-id') || undefined
    const body = await deps.streams.open({
      credentials,
      room,
      channel,
      since: last ?? since,
      sinceId: last === undefined ? sinceId : undefined,
      signal: request.signal,
    })
    call.keepOpen()
    return new Response(body, { headers: STREAM_HEADERS })
  }

  const perform = async (endpoint: Endpoint, call: Call): Promise<Answer | Response> => {
    switch (endpoint.kind) {
      case 'publish':
        return publish(call)
      case 'query':
        return query(call, endpoint)
      case 'command':
        return command(call, endpoint)
      case 'stream':
        return stream(call)
      case 'openapi':
        return jsonText(200, openapiText())
    }
  }

  /** Within the limits of requests. */
  const admit = async (endpoint: Endpoint, params: Call['params'], exchange: Exchange): Promise<Answer | Response> => {
    checkAddress(exchange.address())
    if (underway >= limits.apiRequests) throw tooMany('api_requests', limits.apiRequests)
    underway++
    try {
      const query = queryOf(exchange.request.url)
      const credentials = readCredentials(exchange.request.headers, query, limits.tokenInQuery)
      return await perform(endpoint, { ...exchange, params, query, credentials })
    } finally {
      underway--
    }
  }

  const answer = async (methods: Methods, params: Call['params'], exchange: Exchange): Promise<Answer | Response> => {
    const { method, headers } = exchange.request
    const origin = headers.get('origin')
    if (!deps.isOriginAllowed(origin, headers.get('host')))
      return refusal(new CodedError('forbidden', { path: '/headers/origin', expected: 'an origin that may call' }))
    const endpoint = methods.byName.get(method)
    const answer = method === 'OPTIONS' ? preflight(methods.names) : methodNotAllowed(methods.names)
    const given =
      endpoint === undefined ? answer : await admit(endpoint, params, exchange).catch((problem) => coded(problem))
    return withHeaders(given, originHeaders(origin))
  }

  const router = createRouter(byPath(endpoints))
  return (path) => {
    const match = router(path)
    if (match === undefined) return undefined
    const { target, params } = match
    return { route: target.route, answer: (exchange) => answer(target, params, exchange) }
  }
}

const STREAM_HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  // Proxies that gather what they pass on would hold events back.
  'x-accel-buffering': 'no',
}

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

function coded(problem: unknown): Answer {
  if (problem instanceof CodedError) return refusal(problem)
  throw problem
}

function withHeaders(answer: Answer | Response, headers: Readonly<Record<string, string>>): Answer | Response {
  if (!(answer instanceof Response)) return { ...answer, headers: { ...answer.headers, ...headers } }
  for (const [name, value] of Object.entries(headers)) answer.headers.set(name, value)
  return answer
}

function queryOf(url: string): URLSearchParams {
  const at = url.indexOf('?')
  return new URLSearchParams(at < 0 ? '' : url.slice(at + 1))
}

/** A typo would otherwise be a default. */
function refuseLeftovers(query: URLSearchParams): void {
  for (const name of query.keys()) throw wrong(`query/${name.slice(0, 64)}`, 'to be absent: there is no such parameter')
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
