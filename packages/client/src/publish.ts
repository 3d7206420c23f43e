import type { ClientMetadata, DurabilityLevel, PublishResult, ReplyPayload } from '@arqonbus/protocol'
import { addressText, BUS, PM_CHANNEL, TELEMETRY_ROOM } from '@arqonbus/protocol/names'
import { addressOf } from './address.ts'
import { type ArqonBusError, failure } from './errors.ts'
import type { Outgoing } from './frames.ts'
import { logOf, type Positions } from './positions.ts'
import type { Requests } from './requests.ts'

/** Where telemetry events are sent (docs/protocol.md#telemetry). */
const TELEMETRY_CHANNEL = 'telemetry-stream'

/** The most messages without `ack` whose acknowledgements are tracked at a time; older ones are forgotten. */
const MAX_IMPLICIT_ACKS = 10_000

/**
 * What an acknowledgement has to confirm: `true`, a level, or a level with replicas (docs/protocol.md#acknowledgement).
 */
export type Ack = true | DurabilityLevel | { level?: DurabilityLevel; replicas?: number }

/** Options of a message. */
export type PublishOptions = {
  /** Asks for an acknowledgement. */
  ack?: Ack | undefined
  /**
   * Application-defined keys, and the keys `cause`, `key` and `traceparent` of the bus
   * (docs/protocol.md#acknowledgement).
   */
  metadata?: Omit<ClientMetadata, 'ack' | 'to'>
  /**
   * Default: a new id. The same id again, within the dedup window, settles an `outcome_unknown`
   * (docs/protocol.md#acknowledgement).
   */
  id?: string
}

/** Options of a private message. */
export type PrivateOptions = PublishOptions & {
  /**
   * The room whose channel `pm` the envelope names; it only changes what the recipient reads there. Default `arqonbus`.
   */
  room?: string
}

/** The bus accepted the message with this id at this position. */
export type Acknowledgement = PublishResult & { id: string }

/** Sends messages. */
export type Publisher = {
  /**
   * Publishes to `room:channel`, or to all subscribers of a room with `room:*`. With `ack` the promise settles with the
   * outcome of the message, across reconnects. Without, the message is sent once and its id returned; only a refusal is
   * reported, by the event `refused`.
   */
  publish(address: string, payload: object, options: PublishOptions & { ack: Ack }): Promise<Acknowledgement>
  publish(address: string, payload: object, options?: PublishOptions & { ack?: undefined }): string
  /** Sends a private message to one client, or to up to 32. */
  private(to: string | string[], payload: object, options: PrivateOptions & { ack: Ack }): Promise<Acknowledgement>
  private(to: string | string[], payload: object, options?: PrivateOptions & { ack?: undefined }): string
  /**
   * Sends a telemetry event to the subscribers of `integriguard:telemetry-stream` (docs/protocol.md#telemetry) and
   * returns its id.
   */
  telemetry(eventType: string, payload: object): string
  /** Handles an acknowledgement that no promise waits for. */
  noteImplicitAck(reply: ReplyPayload & { status: 'success' }): void
}

/** What a publisher needs. */
export type PublisherOptions = {
  positions: Positions
  newId(): string
  write(outgoing: Outgoing): string
  requests: Pick<Requests, 'request' | 'sendOnce'>
  /** A message without `ack` was refused, by the bus or by the client. */
  onRefused(error: ArqonBusError): void
  /** False: the bus acknowledges every message instead of delivering it to its sender. */
  echo: boolean
  ackTimeoutMs: number
  /** True for an address to which nothing may be sent yet. */
  isHeld(address: string): boolean
}

/** Creates a publisher. */
export function createPublisher(options: PublisherOptions): Publisher {
  const { positions, newId, write, requests, onRefused, echo, ackTimeoutMs } = options
  /** Messages sent without `ack` under `echo: false`: the bus acknowledges them nevertheless. */
  const implicitAcks = new Map<string, Outgoing>()

  function acknowledged(message: Outgoing): Promise<Acknowledgement> {
    return new Promise((resolve, reject) => {
      requests.request({
        id: message.id,
        frame: write(message),
        kind: 'publish',
        repeatable: true,
        ...(message.type === 'event' && { address: addressText(message) }),
        timeoutMs: ackTimeoutMs,
        succeed(result) {
          noteOwn(message, result as PublishResult)
          resolve({ ...(result as PublishResult), id: message.id })
        },
        fail: reject,
      })
    })
  }

  function unacknowledged(message: Outgoing): string {
    const { id } = message
    const isHeld = message.type === 'event' && options.isHeld(addressText(message))
    const error = isHeld ? failure('not_connected', { requestId: id }) : requests.sendOnce(id, write(message))
    // In a microtask, so that the caller has the id before it is notified that the message was refused.
    if (error !== undefined) queueMicrotask(() => onRefused(error))
    else if (!echo && positions.of(logOf(message)) !== undefined) awaitPosition(message)
    return id
  }

  function awaitPosition(message: Outgoing): void {
    implicitAcks.set(message.id, message)
    if (implicitAcks.size > MAX_IMPLICIT_ACKS) implicitAcks.delete(implicitAcks.keys().next().value as string)
  }

  /** With `echo: false` only the acknowledgement has the position of an own message. */
  function noteOwn(message: Outgoing, { position }: PublishResult): void {
    if (!echo && position !== null) positions.own(logOf(message), position, message.id)
  }

  function publish(address: string, payload: object, { ack, metadata, id = newId() }: PublishOptions = {}) {
    const make = (): Outgoing => ({
      id,
      type: 'event',
      ...addressOf(address),
      payload,
      metadata: withBusKeys(metadata, { ack }),
    })
    return ack === undefined ? unacknowledged(make()) : promised(() => acknowledged(make()))
  }

  function sendPrivate(
    to: string | string[],
    payload: object,
    { ack, metadata, id = newId(), room = BUS }: PrivateOptions = {},
  ) {
    const message: Outgoing = {
      id,
      type: 'private',
      room,
      channel: PM_CHANNEL,
      payload,
      metadata: withBusKeys(metadata, { to, ack }),
    }
    return ack === undefined ? unacknowledged(message) : acknowledged(message)
  }

  return {
    publish: publish as Publisher['publish'],
    private: sendPrivate as Publisher['private'],
    telemetry: (eventType, payload) =>
      unacknowledged({
        id: newId(),
        type: 'telemetry',
        room: TELEMETRY_ROOM,
        channel: TELEMETRY_CHANNEL,
        payload: { eventType, payload },
      }),
    noteImplicitAck({ request_id, result }) {
      const message = implicitAcks.get(request_id as string)
      if (message === undefined) return
      implicitAcks.delete(message.id)
      noteOwn(message, result as PublishResult)
    },
  }
}

/** Absent metadata stays absent, so the envelope stays small. */
function withBusKeys(metadata: PublishOptions['metadata'], busKeys: ClientMetadata): ClientMetadata | undefined {
  const keys = Object.entries(busKeys).filter(([, value]) => value !== undefined)
  return metadata === undefined && keys.length === 0 ? undefined : { ...metadata, ...Object.fromEntries(keys) }
}

/** Turns an exception of a function that returns a promise into a rejection. */
const promised = async <Value>(make: () => Promise<Value>): Promise<Value> => make()
