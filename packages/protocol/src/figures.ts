/**
 * The figures of a server (docs/guide/operations.md#figures): what needs a person, how much of its limits is in use,
 * which frames it refused, and the series of the last 15 minutes.
 */
import Type, { type Static } from 'typebox'
import type { ErrorCode } from './codes.ts'
import { BusTime, ClientId } from './envelope/schema.ts'

/** Why the bus needs a person, the most urgent first. */
export const attentionCodes = {
  storage_away: 'the log cannot be reached',
  draining: 'the server shuts down',
  limit_near: '80 % of a limit, which `subject` names, is in use',
  event_loop_busy: 'in the last 10 seconds the event loop was held for 250 ms, or took 90 % of a core',
  storage_slow: 'in the last 10 seconds one append in a hundred took 250 ms or longer',
  rate_limited: 'at least 10 frames were refused because of a rate, most of them from the client `subject`',
  refusals: 'at least 10 frames were refused for other reasons, most of them with the code `subject`',
  slow_consumers: 'clients read too slowly for live delivery',
  telemetry_unavailable: 'the telemetry port could not be opened',
} as const

/** Why the bus needs a person. */
export type AttentionCode = keyof typeof attentionCodes

/** Something that needs a person. */
export const Attention = Type.Object({
  code: Type.Unsafe<AttentionCode>({
    enum: Object.keys(attentionCodes),
    description: `Why: ${Object.entries(attentionCodes)
      .map(([code, text]) => `\`${code}\`: ${text}`)
      .join('; ')}.`,
  }),
  subject: Type.Optional(Type.String({ description: 'The limit, the client or the error code that it is about.' })),
  since: Type.Unsafe<string>({ ...BusTime, description: 'Since when.' }),
  count: Type.Integer({
    description:
      'How many: clients, frames refused in the last 15 minutes, what is in use of the limit; milliseconds for `storage_slow` and `event_loop_busy`; otherwise 1.',
  }),
})

/** Something that needs a person. */
export type Attention = Static<typeof Attention>

/** How much of a limit is in use. */
export const LimitInUse = Type.Object({
  limit: Type.String({ description: 'The limit, as `arqonbus_limit` names it.' }),
  used: Type.Integer({
    description:
      'What is in use. `subscriptions`: those of the client with most; `participants`, `room_participants`: those of the fullest channel and room, without channels that have a limit of their own.',
  }),
  most: Type.Integer({ description: 'The limit in force.' }),
})

/** How much of a limit is in use. */
export type LimitInUse = Static<typeof LimitInUse>

/** Frames that were refused with one code. */
export const RefusedFrames = Type.Object({
  code: Type.Unsafe<ErrorCode>({ type: 'string', description: 'The code, one of the [error codes](errors.md).' }),
  count: Type.Integer({ description: 'How many.' }),
  client_id: Type.Optional(Type.String({ ...ClientId, description: 'The client that sent most of them.' })),
})

/** Frames that were refused with one code. */
export type RefusedFrames = Static<typeof RefusedFrames>

/** The time between two points of a series, in milliseconds. */
export const SERIES_EVERY_MS = 10_000

/** The points of a series: 15 minutes. */
export const SERIES_POINTS = 90

/** What each series shows. */
export const seriesTexts = {
  connections: 'Open WebSocket connections.',
  messages_per_second: 'Frames received from clients, refused ones too.',
  deliveries_per_second: 'Copies of messages handed to sockets and streams of subscribers.',
  bytes_in_per_second: 'Bytes of frames received.',
  bytes_out_per_second: 'Bytes handed to sockets and streams.',
  waiting_bytes: 'Bytes in send buffers that clients have not read yet.',
  processor: 'Processor time of the process, as a share of one core: 0 to 1, or more with threads of the runtime.',
  event_loop_delay_ms: 'The largest delay of a timer, in milliseconds: how long the event loop was held.',
  refusals_per_second: 'Frames refused.',
  append_ms: 'The 99th percentile of the time of an append to an external log, in milliseconds; null without appends.',
} as const

/** The name of a series. */
export type SeriesName = keyof typeof seriesTexts

/** The names of all series. */
export const seriesNames = Object.keys(seriesTexts) as readonly SeriesName[]

const points = (description: string) =>
  Type.Array(Type.Union([Type.Number(), Type.Null()]), {
    minItems: SERIES_POINTS,
    maxItems: SERIES_POINTS,
    description,
  })

/** The figures that the server has kept, as `GET /api/v1/series` returns them. */
export const Series = Type.Object({
  every_ms: Type.Integer({ description: 'The time between two points, in milliseconds.' }),
  until: Type.Unsafe<string>({ ...BusTime, description: 'The time of the last point.' }),
  series: Type.Object(
    Object.fromEntries(seriesNames.map((name) => [name, points(seriesTexts[name])])) as Record<
      SeriesName,
      ReturnType<typeof points>
    >,
    {
      description: `The last ${SERIES_POINTS} points of each series, oldest first: counts as of that time, rates over the time since the point before. null where the server did not run.`,
    },
  ),
})

/** The figures that the server has kept. */
export type Series = Static<typeof Series>
