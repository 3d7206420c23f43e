/**
 * Traces: a span for each command and each message that is sampled, sent to a collector. Loaded only where there is
 * one.
 */
import type { ErrorCode, ParsedEnvelope } from '@arqonbus/protocol'
import type { Config } from '../../config/index.ts'
import type { Clock } from '../../kit/clock.ts'
import { after } from '../../kit/timer.ts'
import { versionInfo } from '../../kit/version.ts'
import type { Logger } from '../logger.ts'
import { createExporter } from './exporter.ts'
import { createDraw, lastWordOf, newSpanId, newTraceId } from './ids.ts'
import { type Attributes, createRequestText, spanText } from './otlp.ts'
import { post } from './post.ts'
import { createSample } from './sampler.ts'
import type { TraceCommand, TracePublish } from './spans.ts'
import { readTraceparent } from './traceparent.ts'

/** What tracing needs. */
type TracingDeps = {
  /** Where traces are posted to. */
  readonly url: string
  readonly config: Config
  readonly clock: Clock
  readonly metrics: { tracesExported: number; tracesDropped: number }
  readonly logger: Logger
  /** Who this node is. */
  readonly node: string
}

/** Traces of one bus. */
export type Tracing = {
  readonly command: TraceCommand
  readonly publish: TracePublish
  /** Sends what is left, for two seconds at most; there is nothing to trace any more. */
  close(): Promise<void>
}

/** What the last spans may hold up the end of the process. */
const CLOSE_MS = 2000

/** Creates the traces of a server. */
export function createTracing({ url, config, clock, metrics, logger, node }: TracingDeps): Tracing {
  const sample = createSample(config.otelTracesSampler, config.otelTracesSamplerArg ?? 1)
  const draw = createDraw()
  const requestText = createRequestText(resourceOf(config, node), { name: 'arqonbus', version: versionInfo.version })
  const request = { url, headers: headersOf(config), timeoutMs: config.otelExporterOtlpTimeout, now: clock.now }
  const exporter = createExporter(
    {
      queueSize: config.otelBspMaxQueueSize,
      batchSize: config.otelBspMaxExportBatchSize,
      delayMs: config.otelBspScheduleDelay,
    },
    {
      send: (spans, signal) => post(requestText(spans), { ...request, signal }),
      metrics,
      logger,
      random: Math.random,
      later: (task, ms) => after(ms, task),
    },
  )

  /** Begins a span; undefined where it is not sampled. What it returns ends it. */
  const begin = (envelope: ParsedEnvelope) => {
    const traceparent = envelope.metadata?.traceparent
    const parent = traceparent === undefined ? undefined : readTraceparent(traceparent)
    const last = parent === undefined ? draw() : lastWordOf(parent.traceId)
    if (!sample(parent, last)) return undefined
    const startedAt = clock.monotonic()
    const startMs = clock.wallOf(startedAt)
    return (name: string, error: ErrorCode | undefined, attributes: Attributes) =>
      exporter.add(
        spanText({
          traceId: parent?.traceId ?? newTraceId(draw, last),
          spanId: newSpanId(draw),
          parentSpanId: parent?.spanId,
          name,
          startMs,
          endMs: startMs + (clock.monotonic() - startedAt),
          attributes,
          error,
        }),
      )
  }

  return {
    command(clientId, envelope) {
      const end = begin(envelope)
      return (
        end &&
        ((command, code) =>
          end(`command ${command}`, code, {
            'arqonbus.command': command,
            'arqonbus.client.id': clientId,
            'arqonbus.room': envelope.room,
            'arqonbus.channel': envelope.channel,
            'arqonbus.outcome': code === undefined ? 'success' : 'error',
          }))
      )
    },
    publish(clientId, envelope) {
      const end = begin(envelope)
      if (end === undefined) return undefined
      let isOver = false
      const endOnce = (outcome: string, code?: ErrorCode, position?: string) => {
        if (isOver) return
        isOver = true
        end('publish', code, {
          'messaging.system': 'arqonbus',
          'messaging.operation.name': 'publish',
          'messaging.operation.type': 'send',
          'messaging.destination.name': `${envelope.room}:${envelope.channel}`,
          'messaging.message.id': envelope.id,
          'messaging.message.body.size': Buffer.byteLength(envelope.payloadText),
          'arqonbus.client.id': clientId,
          'arqonbus.outcome': outcome,
          'arqonbus.position': position,
        })
      }
      return {
        taken: (taking, position) => endOnce(taking, undefined, position && `${position.ms}-${position.n}`),
        refused: (code) => endOnce(code === 'outcome_unknown' ? 'unknown' : 'refused', code),
      }
    },
    close: () => exporter.close(CLOSE_MS),
  }
}

/** What the traces say of this bus. The variable for the name wins over the attribute, as the specification has it. */
function resourceOf({ otelServiceName, otelResourceAttributes }: Config, node: string): Attributes {
  return {
    'service.name': 'arqonbus',
    'service.version': versionInfo.version,
    'service.instance.id': node,
    ...Object.fromEntries(otelResourceAttributes ?? []),
    ...(otelServiceName !== undefined && { 'service.name': otelServiceName }),
  }
}

/** What every request carries. Names of headers know no case, and the form is not for the settings to say. */
function headersOf({ otelExporterOtlpHeaders, otelExporterOtlpTracesHeaders }: Config): Record<string, string> {
  const given = [...(otelExporterOtlpHeaders ?? []), ...(otelExporterOtlpTracesHeaders ?? [])]
  return {
    'user-agent': `arqonbus/${versionInfo.version}`,
    ...Object.fromEntries(given.map(([name, value]) => [name.toLowerCase(), value])),
    'content-type': 'application/json',
  }
}
