import type { ClientMetadata, DurabilityLevel, PublishResult, ReplyPayload } from '@arqonbus/protocol'
import { addressText, BUS, PM_CHANNEL, TELEMETRY_ROOM } from '@arqonbus/protocol/names'
import { addressOf } from './address.ts'
import { type ArqonBusError, failure } from './errors.ts'
import type { Outgoing } from './frames.ts'
import { logOf, type Positions } from './positions.ts'
import type { Requests } from './requests.ts'

/** Where telemetry events are sent (protocol §8). */
const TELEMETRY_CHANNEL = 'telemetry-stream'

/** More messages than this are not in flight at once: what was never acknowledged is forgotten beyond it. */
const MAX_UNASKED = 10_000

/** What an acknowledgement has to promise: `true`, a level, or a level with replicas (protocol §5). */
export type Ack = true | DurabilityLevel | { level?: DurabilityLevel; replicas?: number }

/** What goes with a message. */
export type PublishOptions = {
  /** Asks for an acknowledgement. */
  ack?: Ack | undefined
  /** The application's own keys, and `cause`, `key`, `traceparent` of the bus (protocol §2). */
  metadata?: Omit<ClientMetadata, 'ack' | 'to'>
  /** Else a new one. The same id again, within the dedup window, settles an `outcome_unknown` (protocol §5). */
  id?: string
}

/** What goes with a private message. */
export type PrivateOptions = PublishOptions & {
  /** The room whose channel `pm` carries it; it changes nothing but what the recipient reads there. Default `arqonbus`. */
  room?: string
}

/** The bus has the message, under this id, at this position. */
export type Acknowledgement = PublishResult & { id: string }

/** Sends messages. */
export type Publisher = {
  /**
   * Publishes to `room:channel`, or to everybody in `room:*`. With `ack` the promise settles with what became of the message, over reconnects
   * too. Without, it is sent once and its id returned; only a refusal is told, by the event `refused`.
   */
  publish(address: string, payload: object, options: PublishOptions & { ack: Ack }): Promise<Acknowledgement>
  publish(address: string, payload: object, options?: PublishOptions & { ack?: undefined }): string
  /** Sends a private message to one client, or to up to 32. */
  private(to: string | string[], payload: object, options: PrivateOptions & { ack: Ack }): Promise<Acknowledgement>
  private(to: string | string[], payload: object, options?: PrivateOptions & { ack?: undefined }): string
  /** Sends a telemetry event to whoever watches `integriguard:telemetry-stream` (protocol §8); its id is returned. */
  telemetry(eventType: string, payload: object): string
  /** An acknowledgement came that no promise waits for. */
  acknowledgedUnasked(reply: ReplyPayload & { status: 'success' }): void
}

/** What a publisher works with. */
export type PublisherOptions = {
  positions: Positions
  newId(): string
  write(outgoing: Outgoing): string
  requests: Pick<Requests, 'request' | 'sendOnce'>
  /** A message without `ack` was refused, by the bus or here. */
  onRefused(error: ArqonBusError): void
  /** False: the bus acknowledges every message instead of sending it back. */
  echo: boolean
  ackTimeoutMs: number
  /** True for an address to which nothing must be sent yet. */
  isHeld(address: string): boolean
}

/** Makes a publisher. */
export function createPublisher(options: PublisherOptions): Publisher {
  const { positions, newId, write, requests, onRefused, echo, ackTimeoutMs } = options
  /** Sent without `ack`, under `echo: false`: their acknowledgements come all the same. */
  const unasked = new Map<string, Outgoing>()

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
    // In a microtask, so that the caller has the id before it hears that the message of that id was refused.
    if (error !== undefined) queueMicrotask(() => onRefused(error))
    else if (!echo && positions.of(logOf(message)) !== undefined) awaitPosition(message)
    return id
  }

  function awaitPosition(message: Outgoing): void {
    unasked.set(message.id, message)
    if (unasked.size > MAX_UNASKED) unasked.delete(unasked.keys().next().value as string)
  }

  /** With `echo: false` the acknowledgement is all that tells of the position that one's own message took. */
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
    acknowledgedUnasked({ request_id, result }) {
      const message = unasked.get(request_id as string)
      if (message === undefined) return
      unasked.delete(message.id)
      noteOwn(message, result as PublishResult)
    },
  }
}

/** Absent metadata stays absent: the envelope is as small as it can be. */
function withBusKeys(metadata: PublishOptions['metadata'], busKeys: ClientMetadata): ClientMetadata | undefined {
  const keys = Object.entries(busKeys).filter(([, value]) => value !== undefined)
  return metadata === undefined && keys.length === 0 ? undefined : { ...metadata, ...Object.fromEntries(keys) }
}

/** A function that returns a promise fails by it, also where it fails at once. */
const promised = async <Value>(make: () => Promise<Value>): Promise<Value> => make()
