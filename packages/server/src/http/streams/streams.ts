/**
 * Streams: the messages of one channel as server-sent events.
 *
 * A stream is a client like any other: it is admitted, joins with the position that it brings, and catches up as a connection does. What differs is that it
 * only listens.
 */
import { type CodedError, type CommandResult, commands } from '@arqonbus/protocol'
import { type Admission, Refused } from '../../bus/clients/admit.ts'
import type { Credentials } from '../../bus/clients/guests.ts'
import type { Frames } from '../../bus/deliver/frames.ts'
import { createIntake, type Receive } from '../../bus/receive/receive.ts'
import type { Clock } from '../../kit/clock.ts'
import type { Maybe } from '../../kit/maybe.ts'
import type { Metrics } from '../../kit/metrics.ts'
import { createAddressCount } from '../../limits/per-address.ts'
import type { Client } from '../../state/model.ts'
import { commandFrame } from '../api/frames.ts'
import { event } from './event.ts'
import type { StreamTopics } from './topics.ts'
import { StreamTransport } from './transport.ts'

/** What streams need. */
export type StreamsDeps = {
  readonly clock: Clock
  readonly metrics: Metrics
  readonly frames: Frames
  readonly admission: Admission
  readonly receive: Receive
  readonly topics: StreamTopics
  readonly cutBytes: number
}

/** What a stream is opened with. */
export type StreamRequest = {
  readonly credentials: Credentials
  readonly room: string
  readonly channel: string
  /** The last position that its reader has, and the id of the message there, where it is known. */
  readonly since: string | undefined
  readonly sinceId: string | undefined
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
  /** Ends all that have not ended, without a word. */
  close(): void
}

type Joined = Extract<CommandResult<'join_channel'>, { channel: string }>

/** Why a join could not recover, in the words of a gap notice: a log that has something else there has lost what it had. */
const gapReasons = { trimmed: 'trimmed', reset: 'reset', diverged: 'lost', too_far: 'lost' } as const

/** No streams. */
export function createStreams(deps: StreamsDeps): Streams {
  const { admission, receive, clock } = deps
  const streams = new Set<Client>()
  const byAddress = createAddressCount()

  const admit = ({ credentials, address }: StreamRequest, transport: StreamTransport): Client => {
    const arrival = { ...credentials, address, profile: { clientType: 'service' as const }, joins: [], echo: true }
    try {
      return admission.admit({ ...arrival, isResumingLive: false }, transport).client
    } catch (problem) {
      throw problem instanceof Refused ? problem.error : problem
    }
  }

  /** What a join said, and what could not be recovered. */
  const tell = (transport: StreamTransport, joined: Joined, { room, channel, since }: StreamRequest) => {
    const { position, recovered, reason, complete } = joined
    // Whoever recovers goes on from what it has: its next id is that of the first message that it missed.
    transport.push(event({ type: 'joined', id: recovered === true ? since : position, data: JSON.stringify(joined) }))
    if (recovered !== false || complete === true) return
    const payload = JSON.stringify({
      event: 'gap',
      reason: gapReasons[reason ?? 'diverged'],
      after: since,
      next: position,
    })
    transport.send(deps.frames.envelope('system', { room, channel }, payload))
  }

  const join = (client: Client, transport: StreamTransport, request: StreamRequest): Promise<void> =>
    new Promise((resolve, reject: (error: CodedError) => void) => {
      const { room, channel, since, sinceId: since_id } = request
      client.caller = {
        isProven: true,
        succeed(result) {
          tell(transport, result as Joined, request)
          resolve()
        },
        acknowledge: () => {},
        refuse: reject,
      }
      const parameters = JSON.stringify({ room, channel, since, since_id })
      receive.text(intakes.get(client)!, commandFrame(commands.join_channel.name, parameters, client.id, clock.now()))
    })
  const intakes = new WeakMap<Client, ReturnType<typeof createIntake>>()

  return {
    get size() {
      return streams.size
    },
    countOf: byAddress.of,
    async open(request) {
      const { credentials, signal, address } = request
      await (admission.recall(credentials) as Maybe<void>)
      let client: Client | undefined
      let uncount = () => {}
      const transport = new StreamTransport({
        ...deps,
        drained: () => client !== undefined && receive.drained(intakes.get(client)!),
        heard() {
          if (client !== undefined) client.lastHeard = clock.monotonic()
        },
        gone() {
          if (client === undefined) return
          streams.delete(client)
          uncount()
          admission.depart(client)
        },
      })
      client = admit(request, transport)
      streams.add(client)
      uncount = byAddress.add(address)
      intakes.set(client, createIntake(client))
      try {
        await join(client, transport, request)
      } catch (problem) {
        admission.disconnect(client, undefined)
        transport.terminate()
        throw problem
      }
      if (signal.aborted) transport.terminate()
      else signal.addEventListener('abort', () => transport.terminate(), { once: true })
      return transport.body
    },
    close() {
      for (const { transport } of streams) transport.terminate()
    },
  }
}
