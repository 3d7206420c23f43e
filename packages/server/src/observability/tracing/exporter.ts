/** Spans on their way to the collector: in batches, one request at a time, out of a queue that has an end. */
import type { Logger } from '../logger.ts'
import type { Posted } from './post.ts'

/** How spans travel. */
type ExporterOptions = {
  /** Spans that wait. */
  readonly queueSize: number
  /** Spans in one request. */
  readonly batchSize: number
  /** How long a span waits for others. */
  readonly delayMs: number
}

/** What sending needs. */
type ExporterDeps = {
  /** Sends spans until the signal says otherwise. Never fails. */
  readonly send: (spans: readonly string[], signal: AbortSignal) => Promise<Posted>
  readonly metrics: { tracesExported: number; tracesDropped: number }
  readonly logger: Logger
  /** From 0 to 1. */
  readonly random: () => number
  /** Runs a function later; returns what prevents it. */
  readonly later: (run: () => void, ms: number) => () => void
}

/** A batch that could not be sent so often is dropped. */
const MAX_ATTEMPTS = 5
const FIRST_BACKOFF_MS = 1000
const MAX_BACKOFF_MS = 30_000

/** Creates the way to the collector. */
export function createExporter(options: ExporterOptions, deps: ExporterDeps) {
  const { metrics, logger, later } = deps
  const queue: string[] = []
  const abort = new AbortController()
  /** The requests under way; undefined while none is. */
  let sending: Promise<void> | undefined
  let isDue = false
  let isFailing = false
  let isClosing = false
  let cancelTimer: (() => void) | undefined
  let endPause: (() => void) | undefined

  const schedule = (ms: number) => {
    cancelTimer?.()
    cancelTimer = later(() => {
      cancelTimer = undefined
      sending = sendBatches()
    }, ms)
  }

  const sendBatches = async (): Promise<void> => {
    do await sendBatch(queue.splice(0, options.batchSize))
    while (queue.length >= (isClosing ? 1 : options.batchSize) && !abort.signal.aborted)
    sending = undefined
    isDue = false
    if (queue.length > 0 && !isClosing) schedule(options.delayMs)
  }

  const sendBatch = async (spans: readonly string[]): Promise<void> => {
    for (let attempt = 1; spans.length > 0; attempt++) {
      const posted = await deps.send(spans, abort.signal)
      if (posted.kind === 'taken') return taken(spans.length, posted)
      failed(spans.length, posted.reason)
      if (posted.kind === 'refused' || attempt === MAX_ATTEMPTS || isClosing) {
        metrics.tracesDropped += spans.length
        return
      }
      await pause(posted.afterMs ?? backoffMs(attempt))
    }
  }

  const taken = (count: number, { rejected, reason }: Extract<Posted, { kind: 'taken' }>) => {
    const dropped = Math.min(rejected, count)
    metrics.tracesExported += count - dropped
    metrics.tracesDropped += dropped
    if (dropped > 0) logger.warn({ event: 'traces_rejected', count: dropped, reason })
    if (isFailing) logger.info({ event: 'traces_export_recovered' })
    isFailing = false
  }
  /** One line when it begins to fail; how much is lost by it the metrics say. */
  const failed = (count: number, reason: string) => {
    if (!isFailing) logger.warn({ event: 'traces_export_failed', reason, count })
    isFailing = true
  }

  const backoffMs = (attempt: number) => FIRST_BACKOFF_MS * 2 ** (attempt - 1) * (0.5 + deps.random() / 2)
  const pause = (ms: number) =>
    new Promise<void>((resolve) => {
      const cancel = later(resolve, Math.min(ms, MAX_BACKOFF_MS))
      endPause = () => {
        cancel()
        resolve()
      }
    })

  return {
    /** Takes a span, or drops it where too many wait. */
    add(span: string): void {
      if (queue.length >= options.queueSize || isClosing) {
        metrics.tracesDropped++
        return
      }
      queue.push(span)
      if (isDue || sending !== undefined) return
      // A full batch goes at once, but by a timer: not on the way of the message that made it full.
      isDue = queue.length >= options.batchSize
      if (isDue) schedule(0)
      else if (cancelTimer === undefined) schedule(options.delayMs)
    },
    /** Sends what waits, no longer than `withinMs`; what is left then is dropped. Call it when no more spans come. */
    async close(withinMs: number): Promise<void> {
      isClosing = true
      cancelTimer?.()
      const cancelEnd = later(() => abort.abort(), withinMs)
      endPause?.()
      await (sending ?? sendBatches())
      cancelEnd()
      if (queue.length === 0) return
      metrics.tracesDropped += queue.length
      logger.warn({ event: 'traces_lost', count: queue.splice(0).length })
    },
  }
}
