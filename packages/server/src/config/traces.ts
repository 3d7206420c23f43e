/**
 * The settings of traces. They are the standard ones of OpenTelemetry and keep its names, so that a machine that is set
 * up for it needs nothing more; the subset that is here is what the bus does (OpenTelemetry, "Environment Variable
 * Specification" and "OTLP Exporter Configuration").
 */

import { inGroup, option, optional, type Values } from './option.ts'
import { attributePairs, collectorUrl, headerPairs, serviceName, share, truth } from './otlp-options.ts'
import { integer } from './quantities.ts'
import { choice } from './scalars.ts'

/** How the decision is made which messages and commands get a span. */
export const samplers = [
  'always_on',
  'always_off',
  'traceidratio',
  'parentbased_always_on',
  'parentbased_always_off',
  'parentbased_traceidratio',
] as const

/** Forms in which traces travel; the bus writes the first. */
const protocols = ['http/json', 'http/protobuf', 'grpc'] as const

/** Their part of the table. */
export const traceOptions = inGroup('Traces', {
  otelExporterOtlpEndpoint: optional(collectorUrl, {
    text: 'The OpenTelemetry collector: traces go to `/v1/traces` there. Without it, and without the next, there are none.',
  }),
  otelExporterOtlpTracesEndpoint: optional(collectorUrl, {
    text: 'The full URL that traces are sent to; overrides the endpoint above.',
  }),
  otelExporterOtlpHeaders: optional(headerPairs, { secret: true, text: 'Headers for the collector, such as its key.' }),
  otelExporterOtlpTracesHeaders: optional(headerPairs, { secret: true, text: 'Headers that win over the former.' }),
  otelExporterOtlpProtocol: option(choice(protocols), {
    default: 'http/json',
    text: 'The form in which traces are sent. The bus writes http/json; another one is ignored with a warning.',
  }),
  otelExporterOtlpTracesProtocol: optional(choice(protocols), {
    text: 'The same for traces alone, in place of the former.',
  }),
  otelExporterOtlpTimeout: option(integer({ min: 10, max: 600_000 }), {
    default: 10_000,
    text: 'How long the collector may take to answer, in milliseconds.',
  }),
  otelServiceName: optional(serviceName, {
    text: 'The name of this bus in traces; `arqonbus` where neither this nor `service.name` among the attributes says another.',
  }),
  otelResourceAttributes: optional(attributePairs, {
    text: 'What else traces say of this bus, such as `deployment.environment.name=production`.',
  }),
  otelTracesSampler: option(choice(samplers), {
    default: 'parentbased_always_on',
    text: 'Which messages and commands get a span. `parentbased_…` does what their `traceparent` says; the rest is for those without one.',
  }),
  otelTracesSamplerArg: optional(share, {
    text: 'The share that the samplers `…traceidratio` take; all where it is not set.',
  }),
  otelTracesExporter: option(choice(['otlp', 'none']), {
    default: 'otlp',
    text: 'With `none` there are no traces, whatever else is set.',
  }),
  otelSdkDisabled: option(truth, { default: false, text: 'With `true` there are no traces, whatever else is set.' }),
  otelBspMaxQueueSize: option(integer({ min: 1, max: 1_000_000 }), {
    default: 2048,
    text: 'Spans that wait for the collector; further ones are dropped, and counted.',
  }),
  otelBspMaxExportBatchSize: option(integer({ min: 1, max: 100_000 }), {
    default: 512,
    text: 'Spans that are sent at once.',
  }),
  otelBspScheduleDelay: option(integer({ min: 1, max: 600_000 }), {
    default: 5000,
    text: 'How long a span waits for others to be sent with, in milliseconds.',
  }),
})

/** The URL that traces are posted to; undefined where there are none. */
export function tracesUrl(config: Values<typeof traceOptions>): string | undefined {
  if (config.otelSdkDisabled || config.otelTracesExporter === 'none') return undefined
  const base = config.otelExporterOtlpEndpoint?.replace(/(?<!\/)\/+$/, '')
  return config.otelExporterOtlpTracesEndpoint ?? (base && `${base}/v1/traces`)
}
