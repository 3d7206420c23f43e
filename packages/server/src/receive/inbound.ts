/** What a connection has sent, and what of it is still to be handled. */
import type { ParsedEnvelope, RouteMemory } from '@arqonbus/protocol'
import { Queue } from '../kit/queue.ts'
import type { Account } from '../limits/accounts.ts'
import type { Flood } from '../limits/flood.ts'
import type { Client } from '../state/model.ts'
import type { Transport } from '../state/transport.ts'
import type { TelemetrySubscriber } from '../telemetry/subscribers.ts'

/** What sends frames: a client of the bus, or a subscriber of the telemetry server. */
type Sender = {
  readonly id: string
  readonly address: string | undefined
  readonly account: Account
  readonly transport: Transport
  /** The last sign of life, in running time. */
  lastHeard: number
  isClosing: boolean
}

/** The state that the frames of every connection need. It is small, since most connections only subscribe. */
export type Inbound<S extends Sender = Sender> = RouteMemory &
  Flood & {
    readonly sender: S
    /** Frames behind one that waits, or that a turn of the loop had no time for. */
    readonly queue: Queue<string>
    /** Bytes of the queue, with `QUEUED_BYTES` for each frame. */
    queuedBytes: number
    /** True while the queue waits for its turn of the loop. */
    isInLine: boolean
    /** True while a command waits for its result, or a frame is read in pieces. */
    isBusy: boolean
    /** An envelope that waits for what was sent before it. */
    waiting: ParsedEnvelope | undefined
    /** Called when everything that was sent before the connection ended is handled. */
    onHandled: (() => void) | undefined
    /** Running times of the last violations of the protocol. */
    readonly violations: number[]
  }

/** What a client of the bus has sent. */
export type InboundState = Inbound<Client> & {
  /** Own publishes whose log has not replied. */
  unsettled: number
  /** Bytes of these, counted up since there were none. */
  unsettledBytes: number
  /** Called when one of them is settled; made with the first publish. */
  onSettled: (() => void) | undefined
  /** True while its connection is not read because too much that it published is under way. */
  isHeldBack: boolean
  /** True while it waits for the fan-out: too much of what was published has not gone out yet. */
  isHeldForFanOut: boolean
}

/** What a subscriber of the telemetry server has sent. */
export type SubscriberInbound = Inbound<TelemetrySubscriber>

/** The state of a connection that has sent nothing. */
export const createInbound = <S extends Sender>(sender: S): Inbound<S> => ({
  sender,
  lastRoute: undefined,
  queue: new Queue(),
  queuedBytes: 0,
  isInLine: false,
  isBusy: false,
  waiting: undefined,
  onHandled: undefined,
  violations: [],
  floods: 0,
  rate: sender.account.rate,
  addressRate: sender.account.source.rate,
})

/** The state of a new client. */
export const createInboundState = (client: Client): InboundState => ({
  ...createInbound(client),
  unsettled: 0,
  unsettledBytes: 0,
  onSettled: undefined,
  isHeldBack: false,
  isHeldForFanOut: false,
})
