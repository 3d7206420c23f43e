/** A trace collector: receives OTLP/JSON over HTTP, checks every request strictly, and keeps the spans. */
import { expect } from 'bun:test'

/** A received span, with its attributes by name. */
export type SeenSpan = {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId: string | undefined
  readonly name: string
  readonly startNs: bigint
  readonly endNs: bigint
  readonly attributes: Readonly<Record<string, string | number>>
  readonly status: { readonly code?: number; readonly message?: string }
  /** The complete span as received. */
  readonly json: unknown
}

/** One request. */
export type SeenRequest = {
  readonly path: string
  readonly headers: Headers
  readonly body: string
  readonly resource: Readonly<Record<string, string | number>>
  readonly spans: readonly SeenSpan[]
  readonly atMs: number
}

/** The response to a valid request. */
export type Answer = (request: SeenRequest) => Response | Promise<Response>

/** Spans end later than this, within a minute: nanoseconds are easily confused with another unit. */
const startedAt = Date.now()

/** A running collector. */
export type Collector = {
  readonly url: string
  readonly port: number
  readonly requests: readonly SeenRequest[]
  /** All spans so far. */
  readonly spans: readonly SeenSpan[]
  /** The faults of requests; a test that uses the collector expects none. */
  readonly faults: readonly string[]
  /** The response from now on. Default `accept`. */
  answer: Answer
  /** Resolves to the first span that fits, now or when it arrives. */
  span(fits: (span: SeenSpan) => boolean): Promise<SeenSpan>
  /** Waits for `requests` requests. */
  until(requests: number): Promise<readonly SeenRequest[]>
  stop(): Promise<void>
}

/** The response to a request whose spans are all accepted. */
export const accept: Answer = () => Response.json({ partialSuccess: {} })

/** Starts a collector. */
export function startCollector({ port = 0 }: { port?: number } = {}): Collector {
  const requests: SeenRequest[] = []
  const spans: SeenSpan[] = []
  const faults: string[] = []
  let watchers: { isMet: () => boolean; resolve: () => void }[] = []
  const until = (isMet: () => boolean) =>
    new Promise<void>((resolve) => {
      if (isMet()) resolve()
      else watchers.push({ isMet, resolve })
    })

  const server = Bun.serve({
    hostname: '127.0.0.1',
    port,
    idleTimeout: 60,
    async fetch(request) {
      try {
        const seen = read(request, await request.text())
        requests.push(seen)
        spans.push(...seen.spans)
        const met = watchers.filter(({ isMet }) => isMet())
        watchers = watchers.filter((one) => !met.includes(one))
        for (const { resolve } of met) resolve()
        return await collector.answer(seen)
      } catch (fault) {
        faults.push(String(fault))
        return new Response(null, { status: 400 })
      }
    },
  })
  const collector: Collector = {
    url: `http://127.0.0.1:${server.port}`,
    port: server.port!,
    requests,
    spans,
    faults,
    answer: accept,
    async span(fits) {
      await until(() => spans.some(fits))
      return spans.find(fits)!
    },
    async until(count) {
      await until(() => requests.length >= count)
      return requests
    },
    stop: () => server.stop(true),
  }
  return collector
}

/** Parses a request; throws if it violates the OTLP specification. */
function read(request: Request, body: string): SeenRequest {
  const { headers } = request
  expect([request.method, headers.get('content-type')]).toEqual(['POST', 'application/json'])
  const { resourceSpans } = onlyKeys(JSON.parse(body), ['resourceSpans'])
  expect(resourceSpans).toHaveLength(1)
  const { resource, scopeSpans } = onlyKeys(resourceSpans[0], ['resource', 'scopeSpans'])
  expect(scopeSpans).toHaveLength(1)
  const { scope, spans } = onlyKeys(scopeSpans[0], ['scope', 'spans'])
  expect(scope).toEqual({ name: 'arqonbus', version: expect.stringMatching(/^\d+\.\d+\.\d+$/) })
  expect(spans.length).toBeGreaterThan(0)
  return {
    path: new URL(request.url).pathname,
    headers,
    body,
    resource: attributesOf(onlyKeys(resource, ['attributes']).attributes),
    spans: spans.map(spanOf),
    atMs: performance.now(),
  }
}

function spanOf(raw: Record<string, unknown>): SeenSpan {
  const fields = 'traceId spanId parentSpanId flags name kind startTimeUnixNano endTimeUnixNano attributes status'
  const { kind, flags, startTimeUnixNano, endTimeUnixNano, attributes, status, ...rest } = onlyKeys(
    raw,
    fields.split(' '),
  )
  expect(rest.traceId).toMatch(/^(?!0+$)[0-9a-f]{32}$/)
  expect(rest.spanId).toMatch(/^(?!0+$)[0-9a-f]{16}$/)
  if ('parentSpanId' in rest) {
    expect(rest.parentSpanId).toMatch(/^(?!0+$)[0-9a-f]{16}$/)
    expect(rest.parentSpanId).not.toBe(rest.spanId)
  }
  // Sampled, and whether the parent is remote (trace.proto, SpanFlags).
  expect(flags).toBe('parentSpanId' in rest ? 0x301 : 0x101)
  expect(rest.name).toMatch(/^(?:publish|command [a-z_]+)$/)
  expect(kind).toBe(2)
  expect([startTimeUnixNano, endTimeUnixNano]).toEqual([
    expect.stringMatching(/^\d{19}$/),
    expect.stringMatching(/^\d{19}$/),
  ])
  const [startNs, endNs] = [BigInt(startTimeUnixNano), BigInt(endTimeUnixNano)]
  expect(endNs).toBeGreaterThanOrEqual(startNs)
  expect(Number(endNs / 1_000_000n)).toBeWithin(startedAt - 60_000, Date.now() + 60_000)
  const { code } = onlyKeys(status, ['code', 'message'])
  expect([undefined, 2]).toContain(code)
  return {
    parentSpanId: undefined,
    ...rest,
    status,
    startNs,
    endNs,
    attributes: attributesOf(attributes),
    json: raw,
  } as unknown as SeenSpan
}

function attributesOf(list: readonly Record<string, unknown>[]): Record<string, string | number> {
  const read: Record<string, string | number> = {}
  for (const one of list) {
    const { key, value } = onlyKeys(one, ['key', 'value'])
    expect(read).not.toHaveProperty([key])
    const [[kind, content] = [], ...more] = Object.entries(value as object)
    expect(more).toEqual([])
    expect(content).toEqual(kind === 'intValue' ? expect.stringMatching(/^-?\d+$/) : expect.any(String))
    expect(['stringValue', 'intValue']).toContain(kind!)
    read[key] = kind === 'intValue' ? Number(content) : content
  }
  return read
}

// biome-ignore lint/suspicious/noExplicitAny: the content of a request is checked here.
function onlyKeys(value: unknown, keys: readonly string[]): any {
  expect(keys).toEqual(expect.arrayContaining(Object.keys(value as object)))
  return value
}
