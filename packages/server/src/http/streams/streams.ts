/**
 * Streams: the messages of one channel, or of several, as server-sent events.
 *
 * A stream is a client that only reads: it is admitted, joins with its positions, and catches up as a connection does.
 * It changes nothing: if a channel does not exist, it waits until another client creates it.
 */
import {
  areAny,
  type CloseName,
  CodedError,
  type CommandResult,
  commands,
  compileAll,
  faultDetails,
  faultsAt,
  parseAddress,
  positionText,
} from '@arqonbus/protocol'
import type { Admission } from '../../connections/admit.ts'
import type { Credentials } from '../../connections/http-clients.ts'
import type { Frames } from '../../delivery/frames.ts'
import type { SlowConsumers } from '../../delivery/slow-consumers.ts'
import type { Clock } from '../../kit/clock.ts'
import type { Maybe } from '../../kit/maybe.ts'
import { createAddressCount } from '../../limits/per-address.ts'
import { SendBufferWatch } from '../../limits/send-buffer-watch.ts'
import type { Metrics } from '../../observability/metrics.ts'
import type { Persistence } from '../../persistence/persistence.ts'
import { createInboundState, type InboundState } from '../../receive/inbound.ts'
import type { Receive } from '../../receive/receive.ts'
import { type Ending, endedByServer } from '../../state/ending.ts'
import type { Channel, Client } from '../../state/model.ts'
import type { RoomResolver } from '../../state/resolve.ts'
import { commandFrame } from '../api/call-frames.ts'
import type { Awaited } from './awaited.ts'
import type { Cursor } from './cursor.ts'
import { event, retryField } from './event.ts'
import { spreadRetry } from './refused-stream.ts'
import type { StreamTopics } from './stream-topics.ts'
import { StreamTransport } from './stream-transport.ts'

/** What streams need. */
type StreamsDeps = {
  readonly clock: Clock
  readonly metrics: Metrics
  readonly frames: Frames
  readonly admission: Admission
  readonly receive: Receive
  readonly topics: StreamTopics
  readonly slowConsumers: SlowConsumers
  readonly awaited: Awaited
  readonly resolver: Pick<RoomResolver, 'isCreatable'>
  /** Where channels are kept that are not here, such as those that another server has created. */
  readonly persistence: Pick<Persistence, 'loadTarget' | 'isUnsure'> | undefined
  readonly sendBufferHardLimit: number
  /** A number from 0 to 1. */
  readonly random: () => number
}

/** What a stream is opened with. */
type StreamRequest = {
  readonly credentials: Credentials
  /** One, or several different ones. */
  readonly channels: readonly StreamChannel[]
  /** Makes the ids of events of several channels; undefined for one, whose positions are the ids. */
  readonly cursor: Cursor | undefined
  /** Ends when the reader has gone. */
  readonly signal: AbortSignal
  /** The address of the reader. */
  readonly address: string
}

/** What a stream asks of its subscriptions, as `join_channel` names it; not checked yet. */
export type StreamOptions = { readonly delivery?: unknown; readonly snapshot?: unknown }

/** A channel of a stream, and what its reader has of it. */
export type StreamChannel = {
  readonly room: string
  readonly channel: string
  /** The last position that the reader has, and the id of the message there, where it is known. */
  readonly since: string | undefined
  readonly sinceId: string | undefined
  /** The type that the channel has, as far as the reader knows. */
  readonly type: string | undefined
  /** What it asks of its subscription. */
  readonly options: StreamOptions
  /** True where the reader has nothing of the channel because it did not exist: all of it is new, from `since` on. */
  readonly isNew: boolean
}

/** The position before all others: where to begin in a channel of which everything is new. */
export const BEFORE_ALL = '0-0'

/** Channels that one look loads at the same time: with tens of thousands at once, other requests would wait for them. */
const LOADS_AT_ONCE = 64

type Joined = Extract<CommandResult<'join_channel'>, { channel: string }>

/**
 * Why a join could not recover, in the words of a gap notice: a log that has something else there has lost what it had.
 */
const gapReasons = { trimmed: 'trimmed', reset: 'reset', diverged: 'lost', too_far: 'lost', forbidden: 'lost' } as const

/** One stream. */
type Stream = {
  readonly client: Client
  readonly transport: StreamTransport
  readonly inbound: InboundState
  readonly request: StreamRequest
  /** Settles when the join before has: the reply to a join says nothing of which one it is for. */
  lastJoin: Promise<void>
  /** Ends the wait for the reply to a join, which does not come any more when the stream ends. */
  endJoin: () => void
  /** Ends the wait for each channel that does not exist. */
  readonly waits: Map<StreamChannel, () => void>
  /** Counts the stream out of those of its address. */
  readonly uncount: () => void
}

/** The open streams. */
export class Streams {
  readonly #deps: StreamsDeps
  readonly #streams = new Set<Stream>()
  readonly #byAddress = createAddressCount()
  readonly #watch: SendBufferWatch<Stream>
  #isLooking = false

  constructor(deps: StreamsDeps) {
    this.#deps = deps
    const { clock, metrics, slowConsumers } = deps
    const report = slowConsumers.addOwner()
    this.#watch = new SendBufferWatch({
      clock,
      limits: slowConsumers.limits,
      connections: () => this.#streams,
      bytesOf: ({ transport }) => transport.bufferedBytes(),
      sent: () => metrics.bytesOut,
      report: (bytes, full) =>
        report(
          bytes,
          full.map(({ client }) => client),
        ),
    })
  }

  get size(): number {
    return this.#streams.size
  }

  /** The number of streams of one address. */
  countOf(address: string): number {
    return this.#byAddress.of(address)
  }

  /** Opens a stream; throws what an admission or a join is refused with. */
  async open(request: StreamRequest): Promise<ReadableStream<Uint8Array>> {
    const { admission } = this.#deps
    for (const one of request.channels) refuseWrong(one)
    await (admission.loadSession(request.credentials, 'call') as Maybe<void>)
    const stream = this.#admit(request)
    const { client, transport } = stream
    try {
      for (const one of request.channels) {
        await this.#begin(stream, one)
        // What the server ends meanwhile has its reason in what was sent.
        if (transport.hasEnded) break
      }
    } catch (problem) {
      const reason = problem instanceof CodedError ? problem.code : undefined
      admission.disconnect(client, reason, closeNameOf(problem))
      transport.terminate()
      throw problem
    }
    const { signal } = request
    if (signal.aborted) transport.abandon()
    else signal.addEventListener('abort', () => transport.abandon(), { once: true })
    return transport.body
  }

  /** Looks at all send buffers. Called every second. */
  lookAtBuffers(): void {
    this.#watch.tick()
  }

  /**
   * Loads the channels that streams wait for, if they are stored, a few at a time. Called every few seconds; does
   * nothing while the last call is still loading.
   */
  async look(): Promise<void> {
    const { persistence, awaited } = this.#deps
    if (persistence === undefined || this.#isLooking) return
    this.#isLooking = true
    const addresses = awaited.addresses()
    for (let at = 0; at < addresses.length && !persistence.isUnsure(); at += LOADS_AT_ONCE)
      await Promise.all(addresses.slice(at, at + LOADS_AT_ONCE).map((address) => this.#load(address)))
    this.#isLooking = false
  }

  /** A channel that is found is restored, and so added for the streams that wait. After a failure the next look retries. */
  async #load(address: string): Promise<void> {
    const { room, channel } = parseAddress(address)!
    await this.#deps.persistence?.loadTarget(room, channel)?.catch(() => {})
  }

  /** Ends all streams at once. */
  close(): void {
    for (const { transport } of this.#streams) transport.terminate()
  }

  #admit(request: StreamRequest): Stream {
    const { admission, receive, clock, random } = this.#deps
    const { cursor } = request
    let stream: Stream | undefined
    const transport = new StreamTransport({
      ...this.#deps,
      late: (text) => this.#watch.late(text, 1),
      idOf: cursor === undefined ? undefined : (address, position) => cursor.moved(address, position),
      drained: () => stream !== undefined && receive.drained(stream.inbound),
      heard() {
        if (stream !== undefined) stream.client.lastHeard = clock.monotonic()
      },
      ending: () => stream?.endJoin(),
      gone: (ending) => stream !== undefined && this.#gone(stream, ending),
    })
    // Ahead of the welcome: it replaces the time to reconnect of an earlier refusal or shutdown.
    transport.push(retryField(spreadRetry(random())))
    const client = admission.admitStream(request.credentials, request.address, transport)
    stream = {
      client,
      transport,
      inbound: createInboundState(client),
      request,
      lastJoin: Promise.resolve(),
      endJoin: () => {},
      waits: new Map(),
      uncount: this.#byAddress.add(request.address),
    }
    this.#streams.add(stream)
    return stream
  }

  #gone(stream: Stream, ending: Ending): void {
    this.#streams.delete(stream)
    stream.endJoin()
    for (const endWait of stream.waits.values()) endWait()
    stream.uncount()
    this.#deps.admission.depart(stream.client, ending)
  }

  /** Joins a channel, or begins to wait for it. */
  async #begin(stream: Stream, wanted: StreamChannel): Promise<void> {
    const { resolver, persistence } = this.#deps
    const { client, transport, request } = stream
    const { room, channel } = wanted
    const isMissing = () => resolver.isCreatable(room, channel, client.identity)
    if (isMissing()) await (persistence?.loadTarget(room, channel) as Maybe<void>)
    if (!isMissing()) return this.#join(stream, wanted)
    const address = `${room}:${channel}`
    const data = JSON.stringify({ channel: address, waiting: true })
    transport.push(event({ type: 'joined', id: request.cursor?.awaits(address), data }))
    this.#wait(stream, wanted)
  }

  #wait(stream: Stream, wanted: StreamChannel): void {
    // It may have ended while the store was asked: nothing would end this wait.
    if (stream.transport.hasEnded) return
    const { room, channel } = wanted
    const found = (created: Channel) => void this.#joinNew(created, stream, wanted)
    stream.waits.set(wanted, this.#deps.awaited.wait(`${room}:${channel}`, found))
  }

  #join(stream: Stream, wanted: StreamChannel): Promise<void> {
    const joined = stream.lastJoin.then(() => this.#ask(stream, wanted))
    stream.lastJoin = joined.catch(() => {})
    return joined
  }

  async #ask(stream: Stream, wanted: StreamChannel): Promise<void> {
    const { client, inbound, transport } = stream
    if (transport.hasEnded) return
    await new Promise<void>((resolve, reject: (error: CodedError) => void) => {
      stream.endJoin = resolve
      client.caller = {
        succeed: (result) => {
          this.#sendJoined(stream, result as Joined, wanted)
          resolve()
        },
        acknowledge: () => {},
        refuse: reject,
      }
      const parameters = JSON.stringify(parametersOf(wanted))
      const { receive, clock } = this.#deps
      receive.text(inbound, commandFrame(commands.join_channel.name, parameters)(client.id, clock.now()))
    })
  }

  /** Everything in a channel that did not exist when the stream began is new to it. */
  async #joinNew({ log }: Channel, stream: Stream, wanted: StreamChannel): Promise<void> {
    const { client, transport } = stream
    try {
      await log?.ready()
      const origin = log === undefined || log.origin.n < 0 ? undefined : positionText(log.origin)
      const isNew = wanted.since === undefined || wanted.isNew
      await this.#join(stream, isNew ? { ...wanted, since: origin, isNew } : wanted)
    } catch (problem) {
      // A server that stops ends its streams in its own time.
      if (client.isClosing || (problem instanceof CodedError && problem.code === 'shutting_down')) return
      if (problem instanceof CodedError && comesAndGoes.includes(problem.code)) return this.#wait(stream, wanted)
      const ending = endedByServer(closeNameOf(problem))
      transport.close(ending.code, ending.reason)
      this.#deps.admission.depart(client, ending)
    }
  }

  /** Sends the result of a join, and a gap notice for what could not be recovered, to a reader that has something. */
  #sendJoined({ transport, request }: Stream, joined: Joined, { room, channel, since, isNew }: StreamChannel): void {
    const { position, recovered, reason, complete } = joined
    // A stream that recovers continues from what it has: its next id is that of the first message that it missed.
    const at = recovered === true ? since : position
    const id = at === undefined ? at : (request.cursor?.moved(joined.channel, at) ?? at)
    transport.push(event({ type: 'joined', id, data: JSON.stringify(joined) }))
    const hasAll = recovered !== false || complete === true
    // To whom all is new, nothing is missing that the log has from its first message on.
    if (hasAll || (isNew && position?.endsWith('-0') === true)) return
    const gap = { event: 'gap', reason: gapReasons[reason ?? 'diverged'], after: since, next: position }
    transport.send(this.#deps.frames.envelope('system', { room, channel }, JSON.stringify(gap)))
  }
}

const faultsOfJoin = compileAll(commands.join_channel.parameters)

/** As the join would refuse it, before there is a client for it. */
function refuseWrong(wanted: StreamChannel): void {
  const wrong = faultsAt('/parameters', faultsOfJoin(parametersOf(wanted)))
  if (areAny(wrong)) throw new CodedError('invalid_parameters', faultDetails(wrong))
}

const parametersOf = ({ room, channel, since, sinceId, type, options }: StreamChannel) => ({
  ...(options.delivery !== undefined && { delivery: options.delivery }),
  // A reader that reconnects has had its snapshot.
  ...(options.snapshot !== undefined && since === undefined && { snapshot: options.snapshot }),
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
