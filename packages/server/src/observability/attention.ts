/** What needs a person: which conditions hold, and since when. */
import {
  type Attention,
  type AttentionCode,
  attentionCodes,
  type LimitInUse,
  type RefusedFrames,
} from '@arqonbus/protocol'
import { isoTime } from '../kit/clock.ts'

/** What the conditions are about, as of now. */
export type AttentionReadings = {
  readonly isDraining: boolean
  readonly isStorageAway: boolean
  /** When the outage began, in wall time; undefined where that is not known. */
  readonly awaySince: number | undefined
  readonly hasTelemetryFault: boolean
  /** Clients that catch up because they read too slowly, or have just recovered. */
  readonly slowConsumers: number
  readonly limits: readonly LimitInUse[]
  readonly refusals: readonly RefusedFrames[]
  /** Of the last ten seconds; null where nothing was measured. */
  readonly appendMs: number | null
  readonly loopDelayMs: number | null
  readonly processor: number | null
}

/** A condition that holds. */
type Condition = Pick<Attention, 'code' | 'subject' | 'count'> & { readonly since?: number | undefined }

/** At most so many things are listed. */
const MOST = 5
/** A limit is near from this share on. */
const NEAR = 0.8
const SLOW_APPEND_MS = 250
const SLOW_LOOP_MS = 250
const BUSY_PROCESSOR = 0.9
/** So many refused frames in 15 minutes are no accident. */
const MANY_REFUSALS = 10

/** Limits at which nothing is refused: what is oldest goes. To be near them is usual. */
const harmless: ReadonlySet<string> = new Set(['history_bytes', 'inbox_bytes', 'sessions', 'session_bytes'])

/** Remembers since when conditions hold, from look to look. */
export class AttentionWatch {
  #since = new Map<string, number>()

  /** The conditions that hold, at a moment of wall time: the most urgent first. */
  look(readings: AttentionReadings, now: number): readonly Attention[] {
    const before = this.#since
    this.#since = new Map()
    return conditionsOf(readings)
      .map(({ code, subject, count, since }) => {
        const key = `${code} ${subject ?? ''}`
        const begun = since ?? before.get(key) ?? now
        this.#since.set(key, begun)
        return { code, ...(subject !== undefined && { subject }), since: isoTime(begun), count }
      })
      .sort((a, b) => urgency(a.code) - urgency(b.code))
      .slice(0, MOST)
  }
}

/** Codes are declared in this order. */
const codes = Object.keys(attentionCodes)
const urgency = (code: AttentionCode): number => codes.indexOf(code)

function conditionsOf(readings: AttentionReadings): readonly Condition[] {
  const { limits, refusals, slowConsumers, appendMs, loopDelayMs, processor } = readings
  const limited = refusals.find(({ code }) => code === 'rate_limited')
  const others = refusals.filter(({ code }) => code !== 'rate_limited')
  const refused = others.reduce((sum, { count }) => sum + count, 0)
  const isBusy = (loopDelayMs ?? 0) >= SLOW_LOOP_MS || (processor ?? 0) >= BUSY_PROCESSOR
  const near = limits
    .filter(({ limit, used, most }) => used >= NEAR * most && !harmless.has(limit))
    .map(({ limit, used }): Condition => ({ code: 'limit_near', subject: limit, count: used }))
  const all: readonly (Condition | false)[] = [
    readings.isStorageAway && { code: 'storage_away', count: 1, since: readings.awaySince },
    readings.isDraining && { code: 'draining', count: 1 },
    ...near,
    isBusy && { code: 'event_loop_busy', count: Math.round(loopDelayMs ?? 0) },
    (appendMs ?? 0) >= SLOW_APPEND_MS && { code: 'storage_slow', count: Math.round(appendMs!) },
    limited !== undefined &&
      limited.count >= MANY_REFUSALS && { code: 'rate_limited', subject: limited.client_id, count: limited.count },
    refused >= MANY_REFUSALS && { code: 'refusals', subject: others[0]!.code, count: refused },
    slowConsumers > 0 && { code: 'slow_consumers', count: slowConsumers },
    readings.hasTelemetryFault && { code: 'telemetry_unavailable', count: 1 },
  ]
  return all.filter((one) => one !== false)
}
