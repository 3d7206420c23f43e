import { expect, test } from 'bun:test'
import { silentLogger } from '../logger.ts'
import { createExporter } from './exporter.ts'
import { post } from './post.ts'

/** How long the end may take. That alone is not hurried: it would cut off what is still being sent. */
const CLOSE_MS = 60_000

/** An exporter to a server that replies as the test says, whose timers fire at once and are written down. */
function start(answer: () => Response) {
  const bodies: string[] = []
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    async fetch(request) {
      bodies.push(await request.text())
      return answer()
    },
  })
  const pauses: number[] = []
  const metrics = { tracesExported: 0, tracesDropped: 0 }
  const isSettled = Promise.withResolvers<void>()
  const request = { url: server.url.href, headers: {}, timeoutMs: 10_000, now: Date.now }
  const exporter = createExporter(
    { queueSize: 10, batchSize: 5, delayMs: 7 },
    {
      send: (spans, signal) => post(spans.join(), { ...request, signal }),
      metrics: {
        get tracesExported() {
          return metrics.tracesExported
        },
        set tracesExported(count) {
          metrics.tracesExported = count
          isSettled.resolve()
        },
        get tracesDropped() {
          return metrics.tracesDropped
        },
        set tracesDropped(count) {
          metrics.tracesDropped = count
          isSettled.resolve()
        },
      },
      logger: silentLogger,
      random: () => 0.5,
      later(run, ms) {
        pauses.push(ms)
        const timer = setTimeout(run, ms === CLOSE_MS ? ms : 0)
        return () => clearTimeout(timer)
      },
    },
  )
  return { exporter, server, bodies, pauses, metrics, settled: isSettled.promise }
}

test('a deferred batch of spans is sent five times after growing pauses and then dropped', async () => {
  const { exporter, server, bodies, pauses, metrics, settled } = start(() => new Response(null, { status: 503 }))
  exporter.add('one')
  await settled
  expect(bodies).toEqual(['one', 'one', 'one', 'one', 'one'])
  // First it waits for others; then three quarters of a second, and twice as long each time: chance gives a half to a
  // whole.
  expect(pauses).toEqual([7, 750, 1500, 3000, 6000])
  expect(metrics).toEqual({ tracesExported: 0, tracesDropped: 1 })
  await server.stop(true)
})

test('a collector that asks for an hour gets the batch again after half a minute', async () => {
  let answers = 0
  const { exporter, server, pauses, metrics, settled } = start(() =>
    answers++ === 0 ? new Response(null, { status: 429, headers: { 'retry-after': '3600' } }) : Response.json({}),
  )
  exporter.add('one')
  await settled
  expect(pauses).toEqual([7, 30_000])
  expect(metrics).toEqual({ tracesExported: 1, tracesDropped: 0 })
  await server.stop(true)
})

test('spans added after the close are dropped and counted', async () => {
  const { exporter, server, bodies, metrics } = start(() => Response.json({}))
  exporter.add('one')
  await exporter.close(CLOSE_MS)
  exporter.add('two')
  expect(bodies).toEqual(['one'])
  expect(metrics).toEqual({ tracesExported: 1, tracesDropped: 1 })
  await server.stop(true)
})
