/**
 * The endpoints of the HTTP API, declared once: routing, `/openapi.json` and `docs/reference/http-api.md` come from
 * this table.
 *
 * Most of them are commands of the protocol under a path of their own: their parameters are those of the command,
 * without those in the path.
 */
import { type CommandShape, commands, type ErrorCode, type GrantNeed } from '@arqonbus/protocol'

/** One endpoint. */
export type Endpoint = {
  /** Unique: the `operationId`. */
  readonly name: string
  readonly method: 'GET' | 'POST'
  /** With parameters in braces. */
  readonly path: string
  /** One sentence: what it does. */
  readonly summary: string
  /** Sentences that a user needs beside it. */
  readonly notes: readonly string[]
  /** Codes that it may answer with, beside those of every endpoint. */
  readonly errors: readonly ErrorCode[]
  /** Which grant it needs, and where. */
  readonly grant: GrantNeed
} & (
  | { readonly kind: 'publish' | 'batch' | 'series' | 'ticket' | 'openapi' }
  /** `isOfMany`: of the channels in the query, not of the one in the path. */
  | { readonly kind: 'stream'; readonly isOfMany: boolean }
  /**
   * A command, with its parameters in the query; `isShared` where all callers without credentials get the same result.
   */
  | { readonly kind: 'query'; readonly command: CommandShape; readonly isShared: boolean }
  /** A command, with its parameters in the body. */
  | { readonly kind: 'command'; readonly command: CommandShape }
)

/** Where the API begins. */
export const API_BASE = '/api/v1'

const CHANNEL = `${API_BASE}/rooms/{room}/channels/{channel}`

/** Codes that every endpoint but `/openapi.json` may answer with. */
export const everywhere: readonly ErrorCode[] = [
  'invalid_parameters',
  'unauthenticated',
  'token_expired',
  'auth_unavailable',
  'forbidden',
  'client_id_in_use',
  'host_not_allowed',
  'rate_limited',
  'internal_error',
  'shutting_down',
]

/** Codes of every endpoint with a body. */
export const withBody: readonly ErrorCode[] = [
  'invalid_json',
  'request_timeout',
  'message_too_large',
  'unsupported_media_type',
]

const ofCommand = (command: CommandShape): Pick<Endpoint, 'summary' | 'notes' | 'errors' | 'grant'> => ({
  grant: command.grant,
  summary: command.summary,
  notes: [],
  errors: command.errors,
})

const query = (name: string, path: string, command: CommandShape, isShared = false): Endpoint => ({
  ...ofCommand(command),
  kind: 'query',
  name,
  method: 'GET',
  path,
  command,
  isShared,
})

const publish: Endpoint = {
  kind: 'publish',
  name: 'publish',
  method: 'POST',
  path: `${CHANNEL}/messages`,
  grant: { at: 'address', actions: ['publish'] },
  summary: 'Publishes a message, and answers when the log has it.',
  notes: [
    'The body is an envelope of which only `payload` is needed: what is left out is filled in, `room` and `channel` from the path, `from` from the client id, `type` as `event`.',
    'The answer is 201 for a message that is new, 200 for one that was taken before under this `id`, and 202 for one that no log has: telemetry, and what is held while the log is away.',
    'To send again what may have been lost, set `Idempotency-Key`, or give an `id` of your own and a client id: a message is recognised by them within the dedup window.',
    'Payload and metadata reach every subscriber byte for byte.',
  ],
  errors: [
    'invalid_envelope',
    'unsupported_version',
    'invalid_telemetry',
    'forbidden_type',
    'sender_mismatch',
    'system_channel',
    'room_not_found',
    'channel_not_found',
    'client_not_found',
    'room_paused',
    'id_conflict',
    'too_many_rooms',
    'too_many_channels',
    'storage_unavailable',
    'outcome_unknown',
  ],
}

const batch: Endpoint = {
  kind: 'batch',
  name: 'publish_batch',
  method: 'POST',
  path: `${API_BASE}/messages`,
  grant: { at: 'address', actions: ['publish'] },
  summary: 'Publishes several messages, to one channel or to several, each with an outcome of its own.',
  notes: [
    'Each message is an envelope that names its `room` and `channel`; otherwise it is as in [a publish](#publish).',
    'The messages are published in their order. `results` has one entry for each, in that order: the `status` and the body that it would have by itself. One that is refused does not stop those behind it.',
    'A batch costs as much of the rate as its messages do, all or none of it: where there is too little, the whole batch is `rate_limited` and nothing is published.',
    'At most `ARQONBUS_API_BATCH` messages, and `ARQONBUS_API_BATCH_BYTES`.',
    'With `Idempotency-Key` each message gets its id from the key and its place in the list.',
  ],
  errors: [],
}

const REFUSALS =
  'A request that accepts `text/event-stream`, as those of browsers do, gets temporary refusals as status 200 with one event `refused`, whose `retry` says when to reconnect; all other refusals are a status.'

const errorsOfCreation: readonly ErrorCode[] = ['forbidden', 'system_room', 'too_many_rooms', 'too_many_channels']

/** A stream joins what exists: it is refused as a join is that creates nothing. */
const streamErrors = commands.join_channel.errors.filter((code) => !errorsOfCreation.includes(code))

const stream: Endpoint = {
  kind: 'stream',
  isOfMany: false,
  name: 'stream',
  method: 'GET',
  path: `${CHANNEL}/stream`,
  grant: { at: 'joined', actions: ['join'] },
  summary: 'Streams the messages of a channel as server-sent events, as they are delivered.',
  notes: [
    'The `id` of an event is the position of its message, and its `data` the envelope. A browser sends the last one back as `Last-Event-ID` when it reconnects, and gets what it missed, then what comes.',
    'While it is open a stream is a participant of the channel and listed among the clients, and an admin can end it.',
    'A stream creates nothing and has no session: if the channel does not exist, `joined` says `waiting`, and the stream continues when the channel is created.',
    REFUSALS,
  ],
  errors: streamErrors,
}

const streams: Endpoint = {
  kind: 'stream',
  isOfMany: true,
  name: 'streams',
  method: 'GET',
  path: `${API_BASE}/stream`,
  grant: { at: 'joined', actions: ['join'] },
  summary: 'Streams the messages of several channels as one stream of server-sent events.',
  notes: [
    'As [the stream of one channel](#stream); the `data` of an event names its room and channel.',
    'The `id` of an event holds a position of each channel, so that a browser that reconnects continues in all of them. It is opaque, and valid for the same set of channels.',
    'If one channel is refused, the stream is. At most `ARQONBUS_API_STREAM_CHANNELS` channels.',
    REFUSALS,
  ],
  errors: streamErrors,
}

const series: Endpoint = {
  kind: 'series',
  name: 'series',
  method: 'GET',
  path: `${API_BASE}/series`,
  grant: { at: 'bus', actions: ['status'] },
  summary: 'Returns the figures that the server keeps of itself: the last 15 minutes, a point every 10 seconds.',
  notes: ['It is limited in rate as the costly commands are, and computed once for each point.'],
  errors: [],
}

const ticket: Endpoint = {
  kind: 'ticket',
  name: 'stream_ticket',
  method: 'POST',
  path: `${API_BASE}/stream-ticket`,
  grant: 'nothing',
  summary: 'Makes a ticket with which a page opens one stream: `EventSource` can set no header.',
  notes: [
    'The stream is that of the caller: its token, client id and session. Open it with `?ticket=` within 30 seconds.',
    'A ticket opens one stream. A page that reconnects asks for another one, and goes on with `since`.',
  ],
  errors: [],
}

const openapi: Endpoint = {
  kind: 'openapi',
  name: 'openapi',
  method: 'GET',
  path: '/openapi.json',
  grant: 'nothing',
  summary: 'Describes this API as an OpenAPI document.',
  notes: [],
  errors: ['forbidden', 'host_not_allowed', 'rate_limited'],
}

/** Commands as such: all but those that change the connection they come by. */
const asCommands = Object.values<CommandShape>(commands)
  .filter((command) => !command.needs_connection)
  .map(
    (command): Endpoint => ({
      ...ofCommand(command),
      kind: 'command',
      name: command.name,
      method: 'POST',
      path: `${API_BASE}/commands/${command.name}`,
      command,
    }),
  )

/** All endpoints. */
export const endpoints: readonly Endpoint[] = [
  publish,
  batch,
  query('messages', `${CHANNEL}/messages`, commands.history),
  stream,
  streams,
  query('channel', CHANNEL, commands.channel_info),
  query('rooms', `${API_BASE}/rooms`, commands.list_rooms, true),
  query('channels', `${API_BASE}/channels`, commands.list_channels, true),
  query('clients', `${API_BASE}/clients`, commands.list_clients, true),
  query('bus', `${API_BASE}/status`, commands.status, true),
  query('commands', `${API_BASE}/commands`, commands.list_commands, true),
  series,
  ticket,
  ...asCommands,
  openapi,
]

/** The names of the parameters in a path. */
export const pathParameters = (path: string): string[] => Array.from(path.matchAll(/\{(\w+)\}/g), ([, name]) => name!)
