import type { Span } from '../load/window.ts'
import type { Appendfsync } from '../servers/redis.ts'
import type { ServerKind } from '../servers/server.ts'

/**
 * One load and its figures. `measure` runs in the load process, once per round and side, each time
 * with a fresh server; the other fields describe the table.
 */
export interface Scenario {
  /** The name for `--only`. */
  name: string
  title: string
  /** The measured side comes first; the second one, if any, is the reference of every ratio. */
  sides: readonly Side[]
  targets: readonly Target[]
  /** Requires Redis. */
  needsRedis?: true
  /** Requires Chromium. */
  needsChromium?: true
  /** Overrides the default number of rounds or duration. */
  rounds?: number
  span?: Partial<Span>
  measure(side: Side, span: Span): Promise<Figures>
}

export interface Side {
  name: string
  server: ServerKind
  /** Uses a Redis with this `appendfsync`. */
  redis?: Appendfsync
}

/** Names end with their unit; `report/figures.ts` describes how each is shown. */
export type Figures = Record<string, number>

/** The target of a figure: a ratio to the other side, or an absolute bound. */
export type Target = { figure: string } & ({ ratioMax: number } | { max: number } | { min: number })

export const bus: Side = { name: 'bus', server: 'bus' }
export const bare: Side = { name: 'bare Bun', server: 'bare' }

/**
 * Targets of every load that counts its messages: each was delivered once, in order, unchanged, and no connection was
 * closed.
 */
export const lossless: readonly Target[] = ['lost', 'doubled', 'misnumbered', 'damaged', 'closed', 'surprises'].map(
  (figure) => ({ figure, max: 0 }),
)
