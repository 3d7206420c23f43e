/** The figures of the server that the page shows (docs/guide/console.md), as they are sent. */
import type { Channel, ListedClient } from '@arqonbus/protocol'

/** Something that needs a person. */
export type Attention = {
  readonly code: string
  readonly subject?: string
  readonly since?: string
  readonly count?: number
}

/** A limit, and how much of it is in use. */
export type LimitInUse = { readonly limit: string; readonly used: number; readonly most: number }

/** Frames refused in the last 15 minutes for one reason. */
export type RefusedFrames = { readonly code: string; readonly count: number; readonly client_id?: string }

/** The outage of the log before this moment, or the one that goes on. */
export type LastOutage = { readonly since?: string; readonly ms?: number }

/** The names of the series. */
export type SeriesName =
  | 'connections'
  | 'messages_per_second'
  | 'deliveries_per_second'
  | 'bytes_in_per_second'
  | 'bytes_out_per_second'
  | 'waiting_bytes'
  | 'processor'
  | 'event_loop_delay_ms'
  | 'refusals_per_second'
  | 'append_ms'

/** Values, the oldest first; null where there is none. */
export type Series = {
  readonly every_ms: number
  readonly until: string
  readonly series: Readonly<Partial<Record<SeriesName, readonly (number | null)[]>>>
}

/** A client in a list; fields that a server of an earlier version does not send are optional. */
export type ClientRow = ListedClient & {
  /** Received from it, over the last seconds. */
  readonly messages_per_second?: number
  readonly behind_since?: string
  /** For admins. */
  readonly address?: string
}

/** A channel in a list. */
export type ChannelRow = Channel & { readonly messages_per_second?: number }
