/**
 * Calls: each becomes the frame that a client would have sent, and takes the way of one. Nothing is checked or done
 * here that the bus does for its clients.
 */
import { BUS, CONTROL_CHANNEL, CodedError, readProper } from '@arqonbus/protocol'
import { requireGrant } from '../../auth/access.ts'
import type { Config } from '../../config/index.ts'
import type { Admission } from '../../connections/admit.ts'
import type { AcceptHttpClient, Credentials } from '../../connections/http-clients.ts'
import { type StreamTickets, TICKET_MS } from '../../connections/stream-tickets.ts'
import type { Clock } from '../../kit/clock.ts'
import type { FairQueue, Pieces } from '../../kit/fair-queue.ts'
import { chain, type Maybe } from '../../kit/maybe.ts'
import { commandRates, type RateOf, takeCommand } from '../../limits/command-rate.ts'
import type { Metrics } from '../../observability/metrics.ts'
import { createInboundState } from '../../receive/inbound.ts'
import type { Receive } from '../../receive/receive.ts'
import { type Answer, json, jsonText } from '../answer.ts'
import { eventStream } from '../streams/refused-stream.ts'
import type { Streams } from '../streams/streams.ts'
import { type BatchDeps, createBatch } from './batch.ts'
import { createBodyReader, textOf } from './body.ts'
import { commandFrame, type FrameFrom, type MessageOptions, readMessage } from './call-frames.ts'
import { wrong } from './credentials.ts'
import type { Endpoint } from './endpoints.ts'
import { keyedClient, readKey } from './idempotency.ts'
import { createLists } from './lists.ts'
import { openapiDocument } from './openapi.ts'
import { PendingReply, withoutRequester } from './pending-reply.ts'
import { parametersIn } from './query.ts'
import { withinRate } from './request-limit.ts'
import { manyChannels, oneChannel } from './stream-channels.ts'
import { readTrace } from './trace-headers.ts'

/** What calls need. */
type CallsDeps = {
  readonly limits: BatchDeps['limits'] &
    Pick<
      Config,
      | 'maxMessageBytes'
      | 'maxDepth'
      | 'apiBatchBytes'
      | 'apiBodyTimeoutMs'
      | 'commandRate'
      | 'presenceRate'
      | 'httpCacheMs'
      | 'apiStreamChannels'
    >
  readonly metrics: Pick<Metrics, 'limit'>
  readonly clock: Clock
  readonly receive: Receive
  readonly admission: Pick<Admission, 'loadSession'>
  readonly acceptHttpClient: AcceptHttpClient
  readonly log: BatchDeps['log']
  readonly streams: Streams
  readonly tickets: StreamTickets
  readonly turns: FairQueue
  /** The figures that the server keeps, as JSON. */
  readonly series: () => string
  readonly isDraining: () => boolean
}

/** A request, with what only its connection knows. */
export type Exchange = {
  readonly request: Request
  /** The address of the client. */
  readonly address: string
  /** Counts bytes of the body whose number the head of the request does not say. */
  readonly takeBytes: (bytes: number) => void
  /** The connection may be silent from now on, for as long as it takes. */
  readonly keepOpen: () => void
}

/** One call: a request, and what was read of it. */
type ApiCall = {
  readonly exchange: Exchange
  readonly params: Readonly<Record<string, string>>
  /** Parameters that no part of the call has read are a mistake of the caller. */
  readonly query: URLSearchParams
  readonly credentials: Credentials
  /** The client id of a caller that names none; undefined where each such call is by another client. */
  readonly anonymousId?: string
}

/** Does what is called for; throws coded errors. */
export type Calls = (endpoint: Endpoint, call: ApiCall) => Maybe<Answer | Response>

/** Creates the calls of the API. */
export function createCalls(deps: CallsDeps): Calls {
  const { limits, clock, receive } = deps
  const readBody = createBodyReader({ maxBytes: limits.maxMessageBytes, timeoutMs: limits.apiBodyTimeoutMs })
  const readLongBody = createBodyReader({ maxBytes: limits.apiBatchBytes, timeoutMs: limits.apiBodyTimeoutMs })
  /**
   * Passes a frame of an HTTP client to the bus, as if it came by a connection of its own, and returns the reply of the
   * bus.
   */
  const ask = (call: ApiCall, frameFrom: FrameFrom): Maybe<Answer> => {
    const slot = new PendingReply()
    const client = deps.acceptHttpClient(call.credentials, call.exchange.address, call.anonymousId)(slot)
    receive.text(createInboundState(client), frameFrom(client.id, clock.now()))
    const answer = slot.answer()
    if (answer instanceof Promise) call.exchange.keepOpen()
    return answer
  }

  /** A session that is not known here is looked for first. */
  const inSession = <T>({ credentials }: ApiCall, work: () => Maybe<T>): Maybe<T> => {
    if (credentials.session === undefined) return work()
    const loading = deps.admission.loadSession(credentials, 'call')
    return loading === undefined ? work() : loading.then(work)
  }

  const lists = createLists(limits.httpCacheMs, clock.monotonic)

  /** A caller reads what it wrote: lists from before are forgotten. */
  const change = (call: ApiCall, frameFrom: FrameFrom): Maybe<Answer> =>
    chain(
      inSession(call, () => ask(call, frameFrom)),
      (answer) => {
        lists.forget()
        return answer
      },
    )

  /** Many bodies may have come at once: what is done with them is spread over turns of the loop. */
  const withBody = async (call: ApiCall, frameOf: (body: string) => Pieces<FrameFrom>): Promise<Answer> => {
    refuseLeftovers(call.query)
    const bytes = await readBody(call.exchange)
    return deps.turns.run(function* () {
      const body = textOf(bytes)
      yield
      const frameFrom = yield* frameOf(body)
      return change(call, frameFrom)
    })
  }

  /** What the head of a request says of its messages. */
  const optionsOf = ({ credentials, exchange }: ApiCall): MessageOptions => ({
    isNamed: credentials.clientId !== undefined,
    maxDepth: limits.maxDepth,
    key: readKey(exchange.request.headers),
    trace: readTrace(exchange.request.headers),
  })

  const publish = (call: ApiCall): Promise<Answer> => {
    const { room = '', channel = '' } = call.params
    const options = optionsOf(call)
    const { key } = options
    const keyed =
      key === undefined ? call : { ...call, anonymousId: keyedClient(key, call.exchange.address, deps.log.secret) }
    return withBody(keyed, (body) => readMessage(body, { place: { room, channel }, index: 0 }, options))
  }

  const batch = createBatch(deps)
  const publishBatch = async (call: ApiCall): Promise<Answer> => {
    const { credentials, exchange } = call
    refuseLeftovers(call.query)
    const options = optionsOf(call)
    const body = await readLongBody(exchange)
    exchange.keepOpen()
    const answer = await inSession(call, () => batch({ credentials, address: exchange.address, body, options }))
    lists.forget()
    return answer
  }

  const query = (call: ApiCall, { command, isShared }: Endpoint & { kind: 'query' }): Maybe<Answer> => {
    const parameters = parametersIn(call.query, command, call.params)
    const trace = readTrace(call.exchange.request.headers)
    const compute = () => inSession(call, () => ask(call, commandFrame(command.name, parameters, trace)))
    return isShared && isAnonymous(call.credentials)
      ? lists.answer(`${command.name} ${parameters}`, () => chain(compute(), withoutRequester))
      : compute()
  }

  const command = (call: ApiCall, { command }: Endpoint & { kind: 'command' }): Promise<Answer> =>
    withBody(call, function* (body) {
      const parameters = body.trim() === '' ? '{}' : body
      const isProper = yield* readProper(parameters)
      // What is no JSON goes to its reader by itself, who says where it is wrong.
      return isProper
        ? commandFrame(command.name, parameters, readTrace(call.exchange.request.headers))
        : () => parameters
    })

  const stream = createStreamCall(deps)
  const series = createSeriesCall(deps)
  const ticket = createTicketCall(deps)
  const describe = createDescription(commandRates(limits))

  return (endpoint, call) => {
    switch (endpoint.kind) {
      case 'publish':
        return publish(call)
      case 'batch':
        return publishBatch(call)
      case 'query':
        return query(call, endpoint)
      case 'command':
        return command(call, endpoint)
      case 'stream':
        return stream(call, endpoint)
      case 'series':
        return inSession(call, () => series(call))
      case 'ticket':
        return inSession(call, () => ticket(call))
      case 'openapi':
        return describe()
    }
  }
}

/**
 * Creates the call that returns the figures of the server. It is no command, but checked as one: its credentials, and a
 * rate of its own for each account.
 */
function createSeriesCall({ limits, clock, metrics, isDraining, acceptHttpClient, series }: CallsDeps) {
  return ({ credentials, exchange, query }: ApiCall): Answer => {
    refuseLeftovers(query)
    if (isDraining()) throw new CodedError('shutting_down')
    const accepted = acceptHttpClient(credentials, exchange.address)
    requireGrant(accepted(new PendingReply()).identity, 'status', BUS, CONTROL_CHANNEL)
    takeCommand('series', accepted.account, limits.commandRate, { now: clock.monotonic(), metrics })
    return jsonText(200, series())
  }
}

/** Creates the call that makes a ticket for a stream. */
function createTicketCall({ isDraining, acceptHttpClient, tickets }: CallsDeps) {
  return ({ credentials, exchange, query }: ApiCall): Answer => {
    refuseLeftovers(query)
    if (isDraining()) throw new CodedError('shutting_down')
    const { authenticated, session } = credentials
    // The stream asks for its id when it is opened: while there is a connection, it has one of its own.
    const clientId = authenticated.subject === undefined ? credentials.clientId : credentials.askedId
    if (session !== undefined || authenticated.subject === undefined) acceptHttpClient(credentials, exchange.address)
    return json(201, { ticket: tickets.make({ authenticated, clientId, session }), expires_in_ms: TICKET_MS })
  }
}

/** Creates the call that opens a stream. */
function createStreamCall({ limits, metrics, isDraining, streams }: CallsDeps) {
  const { apiStreamChannels: most, rateLimit } = limits
  const limit = withinRate({ most, setting: 'ARQONBUS_API_STREAM_CHANNELS' }, rateLimit)
  return async (call: ApiCall, { isOfMany }: Endpoint & { kind: 'stream' }): Promise<Response> => {
    const { exchange, query, params, credentials } = call
    const { headers, signal } = exchange.request
    const asking = { headers, params, query }
    const asked = isOfMany ? manyChannels(asking, limit, metrics) : oneChannel(asking)
    refuseLeftovers(query)
    if (isDraining()) throw new CodedError('shutting_down')
    refuseBorrowedId(credentials, headers)
    const body = await streams.open({ credentials, ...asked, signal, address: exchange.address })
    exchange.keepOpen()
    return eventStream(body)
  }
}

/** Creates the description of the API: the same for all callers, and made when it is first asked for. */
function createDescription(rateOf: RateOf): () => Answer {
  let openapi: string | undefined
  return () => {
    openapi ??= JSON.stringify(openapiDocument(rateOf))
    return jsonText(200, openapi)
  }
}

const isAnonymous = ({ clientId, token, session }: Credentials): boolean =>
  clientId === undefined && token === undefined && session === undefined

/** Any page can make a browser ask for an address, and no page of another site can set a header of ours. */
function refuseBorrowedId({ clientId, session, isTicket, authenticated }: Credentials, headers: Headers): void {
  if (
    isTicket === true ||
    authenticated.subject !== undefined ||
    clientId === undefined ||
    session !== undefined ||
    headers.has('arqonbus-client-id')
  )
    return
  throw wrong('query/client_id', 'to be absent: a stream takes its client id from the header Arqonbus-Client-Id')
}

/** A typo would otherwise be a default. */
function refuseLeftovers(query: URLSearchParams): void {
  for (const name of query.keys()) throw wrong(`query/${name.slice(0, 64)}`, 'to be absent: there is no such parameter')
}
