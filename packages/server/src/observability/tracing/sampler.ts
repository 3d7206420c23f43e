/** Which messages and commands get a span: the samplers of the OpenTelemetry specification. */
import type { Config } from '../../config/index.ts'
import type { Parent } from './traceparent.ts'

/** Decides by the sender's span, where there is one, and the last 32 bits of the trace's id. */
export type Sample = (parent: Parent | undefined, last: number) => boolean

/**
 * Creates the function that decides. A share is decided by the id, so that every sampler of the trace decides alike.
 */
export function createSample(sampler: Config['otelTracesSampler'], share: number): Sample {
  const below = share * 2 ** 32
  const ofRoot = { always_on: () => true, always_off: () => false, traceidratio: (last: number) => last < below }
  if (!isByParent(sampler)) return (_, last) => ofRoot[sampler](last)
  const root = ofRoot[sampler.slice(BY_PARENT.length) as keyof typeof ofRoot]
  return (parent, last) => (parent === undefined ? root(last) : parent.isSampled)
}

const BY_PARENT = 'parentbased_'

type ByParent = Extract<Config['otelTracesSampler'], `${typeof BY_PARENT}${string}`>

const isByParent = (sampler: Config['otelTracesSampler']): sampler is ByParent => sampler.startsWith(BY_PARENT)
