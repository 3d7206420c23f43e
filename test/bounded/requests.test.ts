/**
 * One turn of the event loop does a bounded amount of work for any HTTP request at any port; and every kind of request
 * has a case.
 */
import { afterAll, describe, expect, test } from 'bun:test'
import { consolePaths, openapiDocument, routePaths } from '@arqonbus/server'
import {
  headerCases,
  otherRequests,
  parameterCases,
  prepareFixture,
  requestCases,
  sendRequests,
  type WorstRequest,
} from '@arqonbus/testing'
import { startCountedBus } from './counted.ts'
import { UNIT_NS } from './counter.ts'

const MOST_MS = 10
const MOST_UNITS = (MOST_MS * 1e6) / UNIT_NS

/** The most bodies of the greatest length that are sent at once. */
const LONG = 16

/** No burst is shortened below this, so that requests that differ by their index are all among them. */
const FEWEST = 10

const adminKey = 'correct-horse-battery-staple'
const bus = await startCountedBus({ adminKey, rateLimit: null, maxViolations: 1_000_000 })
const scale = { channels: 5000, restricted: 500, rooms: 20, channelsARoom: 50, large: 10, crowd: 100, subscribers: 1 }
const fixture = await prepareFixture({ ...bus, adminKey, scale })

const all = [requestCases, headerCases, parameterCases].flatMap((cases) => Object.values(cases).flat())

const unsent = new Set([...all, ...otherRequests])

/**
 * How many requests are sent at once: four times the work of one turn, so that a server that does it all in one turn
 * fails; the rest of a burst would only take longer. `units` is the work of one request.
 */
function enough({ burst, isLong, pipelined }: WorstRequest, units: number): number {
  const wanted = Math.max(FEWEST, Math.ceil((4 * MOST_UNITS) / units))
  const connections = Math.ceil(wanted / pipelined)
  return Math.min(isLong ? LONG : burst, connections * pipelined)
}

describe('bounded work per turn of the loop', () => {
  test.each([...all, ...otherRequests].map((one) => [one.title, one] as const))(
    'one turn of the loop does a bounded amount of work for %s',
    async (_, one) => {
      unsent.delete(one)
      const before = await bus.counted()
      await sendRequests({ ...one, burst: one.pipelined }, fixture)
      const first = await bus.counted()
      const burst = enough(one, (first.units - before.units) / one.pipelined)
      await sendRequests({ ...one, burst }, fixture)
      const { most } = await bus.counted()
      expect(Math.max(first.most, most)).toBeLessThan(MOST_UNITS)
    },
    60_000,
  )
})

/** The operations of the OpenAPI document. */
const operations = Object.entries(
  openapiDocument().paths as Record<string, Record<string, { parameters: { in: string; name: string }[] }>>,
).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, { parameters }]) => ({ name: `${method.toUpperCase()} ${path}`, parameters })),
)
const declared = (place: string) =>
  operations.flatMap(({ parameters }) => parameters.filter((one) => one.in === place).map(({ name }) => name))

test('every endpoint has a case, and every case has an endpoint', () => {
  const names = [
    ...operations.map(({ name }) => name),
    ...[...routePaths, ...consolePaths].map((path) => `GET ${path}`),
  ]
  expect(Object.keys(requestCases).toSorted()).toEqual(names.toSorted())
})

/** Sends a request of each case that the tests above have not sent, because this test runs alone or before them. */
async function askForEach(): Promise<void> {
  for (const one of unsent) await sendRequests({ ...one, burst: one.pipelined }, fixture)
}

test('every header and parameter that is declared or that the server reads has a case', async () => {
  await askForEach()
  const { headers, parameters } = await bus.counted()
  const without = (names: readonly string[], cases: object) =>
    [...new Set(names)].filter((name) => !Object.hasOwn(cases, name))
  expect(without([...headers, ...declared('header').map((name) => name.toLowerCase())], headerCases)).toEqual([])
  expect(without([...parameters, ...declared('query')], parameterCases)).toEqual([])
  expect(headers.length).toBeGreaterThan(10)
}, 120_000)

afterAll(() => fixture.askers.member.close())
