/**
 * Replies: the one place that sends a client the outcome of its frame, on its connection or as the response to its HTTP
 * request.
 */
import type { CodedError, ErrorCode, ParsedEnvelope } from '@arqonbus/protocol'
import { shownPath } from '../kit/text.ts'
import type { Logger } from '../observability/logger.ts'
import type { LimitName } from '../observability/metric-labels.ts'
import type { Metrics } from '../observability/metrics.ts'
import type { Acknowledged } from '../state/caller.ts'
import type { Client, Feed } from '../state/model.ts'
import type { Delivery } from './deliver.ts'
import type { Answered, Frames } from './frames.ts'

/** Replies to frames. */
export type Replies = ReturnType<typeof createReplies>

/** What replying needs. */
type RepliesDeps = {
  readonly frames: Frames
  readonly delivery: Delivery
  readonly metrics: Pick<Metrics, 'reject' | 'limit'>
  readonly logger: Logger
  /** A client with more bytes waiting than this is not read from: it would only add replies that it does not read. */
  readonly sendBufferSoftLimit: number
  /** Called for each frame that is refused, but for commands. */
  readonly refused: (client: Client, code: ErrorCode, envelope: Partial<ParsedEnvelope>) => void
}

/** Codes that say that a limit was reached, and its name in the metrics. */
const limits: { readonly [Code in ErrorCode]?: LimitName } = {
  message_too_large: 'message_bytes',
  too_many_rooms: 'rooms',
  too_many_channels: 'channels',
  too_many_subscriptions: 'subscriptions',
  channel_full: 'participants',
  room_full: 'room_participants',
}

/** Limits of one client, or of the clients of one address: their errors name the setting. */
const limitOfSetting: Readonly<Record<string, LimitName>> = {
  ARQONBUS_MAX_ROOMS_PER_CLIENT: 'rooms_per_client',
  ARQONBUS_MAX_ROOMS_PER_ADDRESS: 'rooms_per_address',
  ARQONBUS_MAX_CHANNELS_PER_CLIENT: 'channels_per_client',
  ARQONBUS_MAX_CHANNELS_PER_ADDRESS: 'channels_per_address',
  ARQONBUS_MAX_SUBSCRIPTIONS_TOTAL: 'subscriptions_total',
  ARQONBUS_METADATA_BYTES: 'metadata_bytes',
}

/** Limits that `details.limit` of an error names. */
const namedLimits = ['dedup_bytes', 'queued_bytes', 'fanout_bytes', 'presence_bytes'] as const satisfies LimitName[]

/** The limit that an error names. Rates of messages and commands are counted where they are measured. */
const limitOf = ({ code, details }: CodedError): LimitName | undefined => {
  const { limit, setting } = details ?? {}
  if (typeof setting === 'string') return limitOfSetting[setting]
  return namedLimits.find((one) => one === limit) ?? limits[code]
}

/** Creates the replies. */
export function createReplies({ frames, delivery, metrics, logger, sendBufferSoftLimit, refused }: RepliesDeps) {
  const holdBack = ({ transport }: Client) => {
    if (transport.bufferedBytes() > sendBufferSoftLimit) transport.pause()
  }
  const send = (client: Client, text: string) => {
    delivery.toClient(client, text)
    holdBack(client)
  }
  return {
    /** A command did what it was asked for. */
    succeed(client: Client, answered: Answered, responseFormat: string, result: object): void {
      if (client.caller !== undefined) return client.caller.succeed(result, client.id)
      send(client, frames.success(answered, responseFormat, result))
    },
    /** The log has a message, which these feeds deliver. */
    acknowledge(client: Client, requestId: string, result: Acknowledged, feeds: readonly Feed[]): void {
      if (client.caller !== undefined) return client.caller.acknowledge(requestId, result)
      delivery.toClientBehindPublished(client, frames.acknowledgement(requestId, result), feeds)
      holdBack(client)
    },
    /**
     * Refuses a frame, perhaps long after it was handled, where a log refused its message: its sender gets an error,
     * and the log a line. Without an id where the frame is no envelope.
     */
    refuseFrame(client: Client, envelope: Partial<ParsedEnvelope>, error: CodedError, id = envelope.id ?? null): void {
      const { room, channel } = envelope
      this.refuse(client, { requestId: id }, error)
      refused(client, error.code, envelope)
      const { id: client_id, address } = client
      const { code } = error
      logger.info({ event: 'frame_refused', client_id, room, channel, code, path: shownPath(error), address })
    },
    refuse(client: Client, answered: Answered, error: CodedError): void {
      metrics.reject(error.code, client.id)
      const limit = limitOf(error)
      if (limit !== undefined) metrics.limit(limit)
      if (client.caller !== undefined) return client.caller.refuse(error, answered.requester)
      send(client, frames.error(answered, error))
    },
  }
}
