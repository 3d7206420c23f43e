/**
 * Calls: each becomes the frame that a client would have sent, and takes the way of one. Nothing is checked or done
 * here that the bus does for its clients.
 */
import { CodedError, readProper } from '@arqonbus/protocol'
import type { Config } from '../../config/index.ts'
import type { Admission } from '../../connections/admit.ts'
import type { AcceptHttpClient, Credentials } from '../../connections/http-clients.ts'
import type { Clock } from '../../kit/clock.ts'
import type { FairQueue, Pieces } from '../../kit/fair-queue.ts'
import { networkOf } from '../../kit/ip-address.ts'
import { chain, type Maybe } from '../../kit/maybe.ts'
import { fullBucket } from '../../limits/bucket.ts'
import { createMemory } from '../../limits/per-address.ts'
import type { Metrics } from '../../observability/metrics.ts'
import { createInboundState, type InboundState } from '../../receive/inbound.ts'
import type { Receive } from '../../receive/receive.ts'
import { type Answer, jsonText } from '../answer.ts'
import { eventStream } from '../streams/refused.ts'
import type { Streams } from '../streams/streams.ts'
import { createBodyReader, textOf } from './body.ts'
import { commandFrame, type FrameFrom, readMessage } from './call-frames.ts'
import { wrong } from './credentials.ts'
import type { Endpoint } from './endpoints.ts'
import { createLists } from './lists.ts'
import { openapiDocument } from './openapi.ts'
import { PendingReply, withoutRequester } from './pending-reply.ts'
import { parametersIn } from './query.ts'
import { manyChannels, oneChannel } from './stream-channels.ts'

/** What calls need. */
type CallsDeps = {
  readonly limits: Pick<
    Config,
    | 'maxMessageBytes'
    | 'maxDepth'
    | 'apiBodyTimeoutMs'
    | 'rateLimit'
    | 'commandRate'
    | 'httpCacheMs'
    | 'apiStreamChannels'
  >
  readonly metrics: Pick<Metrics, 'limit'>
  readonly clock: Clock
  readonly receive: Receive
  readonly admission: Pick<Admission, 'loadSession'>
  readonly acceptHttpClient: AcceptHttpClient
  readonly streams: Streams
  readonly turns: FairQueue
  readonly isDraining: () => boolean
}

/** A request, with what only its connection knows. */
export type Exchange = {
  readonly request: Request
  /** The address of the client. */
  readonly address: string
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
}

/** Does what is called for; throws coded errors. */
export type Calls = (endpoint: Endpoint, call: ApiCall) => Maybe<Answer | Response>

/** Creates the calls of the API. */
export function createCalls(deps: CallsDeps): Calls {
  const { limits, clock, receive } = deps
  const readBody = createBodyReader({ maxBytes: limits.maxMessageBytes, timeoutMs: limits.apiBodyTimeoutMs })
  /** The rates of one client, as if its calls came by one connection. */
  const clientRates = createMemory<Pick<InboundState, 'rate' | 'commandRates'>>(() => ({
    rate: limits.rateLimit === null ? undefined : fullBucket(limits.rateLimit, clock.monotonic()),
    commandRates: new Map(),
  }))

  /**
   * Passes a frame of an HTTP client to the bus, as if it came by a connection of its own, and returns the reply of the
   * bus.
   */
  const ask = (call: ApiCall, frameFrom: FrameFrom): Maybe<Answer> => {
    const { credentials, exchange } = call
    const slot = new PendingReply()
    const client = deps.acceptHttpClient(credentials, slot)
    const buckets = clientRates(credentials.clientId ?? `@${networkOf(exchange.address)}`)
    const inbound = createInboundState(client)
    inbound.rate = buckets.rate
    inbound.commandRates = buckets.commandRates
    receive.text(inbound, frameFrom(client.id, clock.now()))
    const answer = slot.answer()
    if (answer instanceof Promise) exchange.keepOpen()
    return answer
  }

  /** A session that is not known here is looked for first. */
  const askInSession = (call: ApiCall, frameFrom: FrameFrom): Maybe<Answer> => {
    if (call.credentials.session === undefined) return ask(call, frameFrom)
    const loading = deps.admission.loadSession(call.credentials, 'call')
    return loading === undefined ? ask(call, frameFrom) : loading.then(() => ask(call, frameFrom))
  }

  const lists = createLists(limits.httpCacheMs, clock.monotonic)

  /** A caller reads what it wrote: lists from before are forgotten. */
  const change = (call: ApiCall, frameFrom: FrameFrom): Maybe<Answer> =>
    chain(askInSession(call, frameFrom), (answer) => {
      lists.forget()
      return answer
    })

  /** Many bodies may have come at once: what is done with them is spread over turns of the loop. */
  const withBody = async (call: ApiCall, frameOf: (body: string) => Pieces<FrameFrom>): Promise<Answer> => {
    refuseLeftovers(call.query)
    const bytes = await readBody(call.exchange.request)
    return deps.turns.run(function* () {
      const body = textOf(bytes)
      yield
      const frameFrom = yield* frameOf(body)
      return change(call, frameFrom)
    })
  }

  const publish = (call: ApiCall): Promise<Answer> => {
    const { room = '', channel = '' } = call.params
    const isNamed = call.credentials.clientId !== undefined
    return withBody(call, (body) => readMessage(body, { room, channel }, { isNamed, maxDepth: limits.maxDepth }))
  }

  const query = (call: ApiCall, { command, isShared }: Endpoint & { kind: 'query' }): Maybe<Answer> => {
    const parameters = parametersIn(call.query, command, call.params)
    const compute = () => askInSession(call, (from, now) => commandFrame(command.name, parameters, from, now))
    return isShared && isAnonymous(call.credentials)
      ? lists.answer(`${command.name} ${parameters}`, () => chain(compute(), withoutRequester))
      : compute()
  }

  const command = (call: ApiCall, { command }: Endpoint & { kind: 'command' }): Promise<Answer> =>
    withBody(call, function* (body) {
      const parameters = body.trim() === '' ? '{}' : body
      const isProper = yield* readProper(parameters)
      // What is no JSON goes to its reader by itself, who says where it is wrong.
      return (from, now) => (isProper ? commandFrame(command.name, parameters, from, now) : parameters)
    })

  /** Each channel is joined, and each join costs as much as a message. */
  const mostChannels = Math.min(limits.apiStreamChannels, limits.rateLimit?.burst ?? limits.apiStreamChannels)

  const stream = async (call: ApiCall, { isOfMany }: Endpoint & { kind: 'stream' }): Promise<Response> => {
    const { exchange, query, credentials } = call
    const { headers, signal } = exchange.request
    const asking = { headers, params: call.params, query }
    const asked = isOfMany ? manyChannels(asking, { most: mostChannels, metrics: deps.metrics }) : oneChannel(asking)
    refuseLeftovers(query)
    if (deps.isDraining()) throw new CodedError('shutting_down')
    refuseBorrowedId(credentials, headers)
    const body = await deps.streams.open({ credentials, ...asked, signal, address: exchange.address })
    exchange.keepOpen()
    return eventStream(body)
  }

  let openapi: string | undefined
  /** The same for all callers; made when it is first asked for. */
  const describe = (): Answer => {
    openapi ??= JSON.stringify(openapiDocument(limits.commandRate))
    return jsonText(200, openapi)
  }

  return (endpoint, call) => {
    switch (endpoint.kind) {
      case 'publish':
        return publish(call)
      case 'query':
        return query(call, endpoint)
      case 'command':
        return command(call, endpoint)
      case 'stream':
        return stream(call, endpoint)
      case 'openapi':
        return describe()
    }
  }
}

const isAnonymous = ({ clientId, token, session }: Credentials): boolean =>
  clientId === undefined && token === undefined && session === undefined

/** Any page can make a browser ask for an address, and no page of another site can set a header of ours. */
function refuseBorrowedId({ clientId, session }: Credentials, headers: Headers): void {
  if (clientId === undefined || session !== undefined || headers.has('arqonbus-client-id')) return
  throw wrong('query/client_id', 'to be absent: a stream takes its client id from the header Arqonbus-Client-Id')
}

/** A typo would otherwise be a default. */
function refuseLeftovers(query: URLSearchParams): void {
  for (const name of query.keys()) throw wrong(`query/${name.slice(0, 64)}`, 'to be absent: there is no such parameter')
}
