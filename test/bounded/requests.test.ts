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
} from '@arqonbus/testing'
import { startCountedBus } from './counted.ts'
import { UNIT_NS } from './counter.ts'

const MOST_MS = 10
const MOST_UNITS = (MOST_MS * 1e6) / UNIT_NS

/** This many bodies of the greatest length exceed four times the work of one turn. */
const LONG = 16

const adminKey = 'correct-horse-battery-staple'
const bus = await startCountedBus({ adminKey, rateLimit: null, maxViolations: 1_000_000 })
const scale = { channels: 5000, restricted: 500, rooms: 20, channelsARoom: 50, large: 10, crowd: 100, subscribers: 1 }
const fixture = await prepareFixture({ ...bus, adminKey, scale })

const all = [requestCases, headerCases, parameterCases].flatMap((cases) => Object.values(cases).flat())

describe('bounded work per turn of the loop', () => {
  test.each([...all, ...otherRequests].map((one) => [one.title, one] as const))(
    'one turn of the loop does a bounded amount of work for %s',
    async (_, one) => {
      await bus.counted()
      await sendRequests(one.isLong ? { ...one, burst: LONG } : one, fixture)
      const { most } = await bus.counted()
      expect(most).toBeLessThan(MOST_UNITS)
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

/** Sends one request of each case; the tests above have done that already, unless this test runs alone. */
async function askForEach(): Promise<void> {
  for (const one of [...all, ...otherRequests]) await sendRequests({ ...one, burst: one.pipelined }, fixture)
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
