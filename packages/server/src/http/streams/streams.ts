/**
 * Streams: the messages of one channel as server-sent events.
 *
 * A stream is a client that only reads: it is admitted, joins with the position that it brings, and catches up as a connection does. It changes nothing: where its
 * channel is not there, it waits until another client creates it.
 */
import {
  type CloseName,
  CodedError,
  type CommandResult,
  closeCodes,
  commands,
  compile,
  parseAddress,
  positionText,
} from '@arqonbus/protocol'
import type { Admission } from '../../connections/admit.ts'
import type { Credentials } from '../../connections/http-clients.ts'
import type { Frames } from '../../delivery/frames.ts'
import type { Clock } from '../../kit/clock.ts'
import type { Maybe } from '../../kit/maybe.ts'
import { createAddressCount } from '../../limits/per-address.ts'
import type { Metrics } from '../../observability/metrics.ts'
import type { Persistence } from '../../persistence/persistence.ts'
import { createInboundState } from '../../receive/inbound.ts'
import type { Receive } from '../../receive/receive.ts'
import type { Channel, Client } from '../../state/model.ts'
import type { RoomResolver } from '../../state/resolve.ts'
import { commandFrame } from '../api/call-frames.ts'
import type { Awaited } from './awaited.ts'
import { event } from './event.ts'
import type { StreamTopics } from './stream-topics.ts'
import { StreamTransport } from './stream-transport.ts'

/** What streams need. */
export type StreamsDeps = {
  readonly clock: Clock
  readonly metrics: Metrics
  readonly frames: Frames
  readonly admission: Admission
  readonly receive: Receive
  readonly topics: StreamTopics
  readonly awaited: Awaited
  readonly places: Pick<RoomResolver, 'isCreatable'>
  /** Where channels are kept that are not here, such as those that another server has created. */
  readonly persistence: Pick<Persistence, 'recallPlace'> | undefined
  readonly sendBufferHardLimit: number
}

/** What a stream is opened with. */
export type StreamRequest = {
  readonly credentials: Credentials
  readonly room: string
  readonly channel: string
  /** The last position that its reader has, and the id of the message there, where it is known. */
  readonly since: string | undefined
  readonly sinceId: string | undefined
  /** The type that the channel has, as far as the reader knows. */
  readonly type: string | undefined
  /** Ends when the reader has gone. */
  readonly signal: AbortSignal
  /** The address of the reader. */
  readonly address: string
}

/** The streams. */
export type Streams = {
  readonly size: number
  /** Those of one address. */
  countOf(address: string): number
  /** Opens one; throws what an admission or a join is refused with. */
  open(request: StreamRequest): Promise<ReadableStream<Uint8Array>>
  /** Asks the store for the channels that streams wait for. Called now and then. */
  look(): void
  /** Ends all that have not ended, without a word. */
  close(): void
}

/** A join for a stream. `isNew`: its reader has nothing yet, so that it misses nothing, and the position is where the channel began. */
type JoinOf = StreamRequest & { readonly isNew?: boolean }

type Joined = Extract<CommandResult<'join_channel'>, { channel: string }>

/** Why a join could not recover, in the words of a gap notice: a log that has something else there has lost what it had. */
const gapReasons = { trimmed: 'trimmed', reset: 'reset', diverged: 'lost', too_far: 'lost' } as const

/** No streams. */
export function createStreams(deps: StreamsDeps): Streams {
  const { admission, receive, clock, awaited, places, persistence } = deps
  const streams = new Set<Client>()
  const byAddress = createAddressCount()

  /** What a join said, and what could not be recovered, for a reader that has something. */
  const tell = (transport: StreamTransport, joined: Joined, { room, channel, since, isNew }: JoinOf) => {
    const { position, recovered, reason, complete } = joined
    // A stream that recovers continues from what it has: its next id is that of the first message that it missed.
    transport.push(event({ type: 'joined', id: recovered === true ? since : position, data: JSON.stringify(joined) }))
    if (recovered !== false || complete === true || isNew === true) return
    const payload = JSON.stringify({
      event: 'gap',
      reason: gapReasons[reason ?? 'diverged'],
      after: since,
      next: position,
    })
    transport.send(deps.frames.envelope('system', { room, channel }, payload))
  }

  const inbounds = new WeakMap<Client, ReturnType<typeof createInboundState>>()
  /** What ends the wait of a stream for its channel. */
  const waits = new WeakMap<Client, () => void>()

  const join = (client: Client, transport: StreamTransport, request: JoinOf): Promise<void> =>
    new Promise((resolve, reject: (error: CodedError) => void) => {
      client.caller = {
        succeed(result) {
          tell(transport, result as Joined, request)
          resolve()
        },
        acknowledge: () => {},
        refuse: reject,
      }
      const parameters = JSON.stringify(parametersOf(request))
      receive.text(inbounds.get(client)!, commandFrame(commands.join_channel.name, parameters, client.id, clock.now()))
    })

  /** Joins the channel, or begins to wait for it. */
  const begin = async (client: Client, transport: StreamTransport, request: StreamRequest): Promise<void> => {
    const { room, channel } = request
    const address = `${room}:${channel}`
    const isMissing = () => places.isCreatable(room, channel, client.identity)
    if (isMissing()) await (persistence?.recallPlace(room, channel) as Maybe<void>)
    if (!isMissing()) return join(client, transport, request)
    transport.push(event({ type: 'joined', data: JSON.stringify({ channel: address, waiting: true }) }))
    wait(client, transport, request)
  }

  const wait = (client: Client, transport: StreamTransport, request: StreamRequest): void => {
    const found = (channel: Channel) => void joinNew(channel, client, transport, request)
    waits.set(client, awaited.wait(`${request.room}:${request.channel}`, found))
  }

  /** Everything in a channel that was not there when the stream began is new to it. */
  const joinNew = async (channel: Channel, client: Client, transport: StreamTransport, request: StreamRequest) => {
    try {
      await channel.log?.ready()
      const birth = channel.log === undefined || channel.log.origin.n < 0 ? undefined : positionText(channel.log.origin)
      const isNew = request.since === undefined
      await join(client, transport, isNew ? { ...request, since: birth, isNew } : request)
    } catch (problem) {
      // A server that stops ends its streams in its own time.
      if (client.isClosing || (problem instanceof CodedError && problem.code === 'shutting_down')) return
      if (problem instanceof CodedError && comesAndGoes.includes(problem.code)) return wait(client, transport, request)
      const { code, reason } = closeCodes[closeNameOf(problem)]
      transport.close(code, reason)
      admission.depart(client)
    }
  }

  return {
    get size() {
      return streams.size
    },
    countOf: byAddress.of,
    async open(request) {
      const { credentials, signal, address } = request
      refuseWrong(request)
      await (admission.loadSession(credentials, 'call') as Maybe<void>)
      let client: Client | undefined
      let uncount = () => {}
      const transport = new StreamTransport({
        ...deps,
        drained: () => client !== undefined && receive.drained(inbounds.get(client)!),
        heard() {
          if (client !== undefined) client.lastHeard = clock.monotonic()
        },
        gone() {
          if (client === undefined) return
          streams.delete(client)
          waits.get(client)?.()
          uncount()
          admission.depart(client)
        },
      })
      client = admission.admitStream(credentials, address, transport)
      streams.add(client)
      uncount = byAddress.add(address)
      inbounds.set(client, createInboundState(client))
      try {
        await begin(client, transport, request)
      } catch (problem) {
        admission.disconnect(client, undefined)
        transport.terminate()
        throw problem
      }
      if (signal.aborted) transport.terminate()
      else signal.addEventListener('abort', () => transport.terminate(), { once: true })
      return transport.body
    },
    look() {
      if (persistence === undefined) return
      for (const address of awaited.addresses()) {
        const { room, channel } = parseAddress(address)!
        // What is found is put back, and so created for those who wait. What cannot be asked now is asked later.
        persistence.recallPlace(room, channel)?.catch(() => {})
      }
    },
    close() {
      for (const { transport } of streams) transport.terminate()
    },
  }
}

const checkJoin = compile(commands.join_channel.parameters)

/** As the join would refuse it, before there is a client for it. */
function refuseWrong(request: StreamRequest): void {
  const wrong = checkJoin(parametersOf(request))
  if (wrong !== undefined)
    throw new CodedError('invalid_parameters', { path: `/parameters${wrong.path}`, expected: wrong.expected })
}

const parametersOf = ({ room, channel, since, sinceId, type }: StreamRequest) => ({
  room,
  channel,
  ...(type !== undefined && { type }),
  ...(since !== undefined && { since }),
  ...(sinceId !== undefined && { since_id: sinceId }),
})

/** Refusals of a join after which a channel may still come. */
const comesAndGoes: readonly string[] = ['room_not_found', 'channel_not_found', 'storage_unavailable']

const closeNameOf = (problem: unknown): CloseName => {
  if (!(problem instanceof CodedError)) return 'internal'
  return problem.code === 'forbidden' || problem.code === 'channel_type_mismatch' ? 'forbidden' : 'try_later'
}
