/**
 * Spans as OTLP/JSON (opentelemetry-proto, `trace/v1/trace.proto`, and the specification's "JSON Protobuf Encoding"):
 * ids in hexadecimal, 64-bit numbers as text, enumerations as numbers.
 */

/** The value of an attribute; numbers are whole. Without a value there is no attribute. */
export type Attributes = Readonly<Record<string, string | number | undefined>>

/** A span that is over. */
export type Span = {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId: string | undefined
  readonly name: string
  /** Milliseconds since 1970, with their fractions. */
  readonly startMs: number
  readonly endMs: number
  readonly attributes: Attributes
  /** The code of the error that it ended with. */
  readonly error: string | undefined
}

/** What a client asked of the bus: the other end of its call. */
const KIND_SERVER = 2
const STATUS_ERROR = 2

/** W3C's flag, and that it is known whether the parent is elsewhere. */
const SAMPLED_ROOT = 0x101
/** The same, and it is. */
const SAMPLED_CHILD = 0x301

/** One span. The text shares no memory with the frame that it is about. */
export function spanText({ traceId, spanId, parentSpanId, name, startMs, endMs, attributes, error }: Span): string {
  return JSON.stringify({
    traceId,
    spanId,
    parentSpanId,
    flags: parentSpanId === undefined ? SAMPLED_ROOT : SAMPLED_CHILD,
    name,
    kind: KIND_SERVER,
    startTimeUnixNano: nanoseconds(startMs),
    endTimeUnixNano: nanoseconds(endMs),
    attributes: attributesOf(attributes, error),
    status: error === undefined ? {} : { code: STATUS_ERROR, message: error },
  })
}

/** Creates the function that puts spans into one request. */
export function createRequestText(resource: Attributes, scope: { name: string; version: string }) {
  const head = `{"resourceSpans":[{"resource":${JSON.stringify({ attributes: attributesOf(resource) })},"scopeSpans":[{"scope":${JSON.stringify(scope)},"spans":[`
  return (spans: readonly string[]): string => `${head}${spans.join(',')}]}]}]}`
}

/** A loop over the names: lists of entries would cost as much again as the text. */
function attributesOf(attributes: Attributes, error?: string): readonly object[] {
  const list: object[] = []
  for (const key in attributes) {
    const value = attributes[key]
    if (typeof value === 'number') list.push({ key, value: { intValue: String(value) } })
    else if (value !== undefined) list.push({ key, value: { stringValue: value } })
  }
  if (error !== undefined) list.push({ key: 'error.type', value: { stringValue: error } })
  return list
}

/** A number cannot hold nanoseconds since 1970; of milliseconds it still has the microseconds. */
function nanoseconds(ms: number): string {
  const whole = Math.floor(ms)
  return `${whole}${String(Math.floor((ms - whole) * 1e6)).padStart(6, '0')}`
}
