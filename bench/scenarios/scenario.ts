import type { Span } from '../load/window.ts'
import type { Appendfsync } from '../servers/redis.ts'
import type { ServerKind } from '../servers/server.ts'

/**
 * One load with the figures that are asked of it. `measure` runs in the load process, once a round and side, each time
 * with a fresh server; the rest is data from which the table is made.
 */
export interface Scenario {
  /** What `--only` takes. */
  name: string
  title: string
  /** Whoever is judged comes first; the second, where there is one, is the yardstick of every ratio. */
  sides: readonly Side[]
  bars: readonly Bar[]
  /** A machine without Redis cannot run it. */
  needsRedis?: true
  /** Nor one without Chromium. */
  needsChromium?: true
  /** Where the usual number of rounds or length does not suit. */
  rounds?: number
  span?: Partial<Span>
  measure(side: Side, span: Span): Promise<Figures>
}

export interface Side {
  name: string
  server: ServerKind
  /** With a Redis beside it, which has the disk confirm like this. */
  redis?: Appendfsync
}

/** Names end in their unit; `report/figures.ts` says how each is shown. */
export type Figures = Record<string, number>

/** What a figure must reach: against the other side, or by itself. */
export type Bar = { figure: string } & ({ ratioMax: number } | { max: number } | { min: number })

export const bus: Side = { name: 'bus', server: 'bus' }
export const bare: Side = { name: 'bare Bun', server: 'bare' }

/** Bars of every load that counts its messages: what was sent came, once, in order, unharmed, and nobody was cut off. */
export const lossless: readonly Bar[] = ['lost', 'doubled', 'misnumbered', 'damaged', 'closed', 'surprises'].map(
  (figure) => ({ figure, max: 0 }),
)
