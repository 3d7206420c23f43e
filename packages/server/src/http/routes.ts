/** What HTTP answers, by path. Every answer is computed from what is passed in; nothing here knows sockets. */

import type { versionInfo } from '../kit/version.ts'
import type { Status } from '../observability/metric-labels.ts'
import type { Metrics } from '../observability/metrics.ts'
import { type Answer, json, methodNotAllowed, refusal } from './answer.ts'
import { cached } from './cached.ts'
import type { HealthReason } from './health.ts'

/** How well the bus serves. `degraded`: it serves, but not with everything it should. */
export type Health = { readonly status: Status; readonly reasons: readonly HealthReason[] }

/** Whether clients should be sent here: not while the bus stops. */
type Readiness = { readonly ready: boolean; readonly reasons: readonly HealthReason[] }

/** What the routes read. */
export type RouteSources = {
  readonly health: () => Health
  readonly ready: () => Readiness
  readonly version: typeof versionInfo
  readonly metrics: Pick<Metrics, 'render' | 'contentType'>
  /** Milliseconds that never go back. */
  readonly now: () => number
  /** The paths that there are; all without it. */
  readonly paths?: readonly RoutePath[]
  /** How old an answer of `/metrics` and `/health` may be; `/ready` is always as of now. */
  readonly cacheMs: number
}

/** What a path answers. */
export type Route = () => Answer | Promise<Answer>

/** The paths that they have. */
export const routePaths = ['/health', '/ready', '/version', '/metrics'] as const

/** One of them. */
export type RoutePath = (typeof routePaths)[number]

/** All routes, by path. */
export function createRoutes({
  health,
  ready,
  version,
  metrics,
  now,
  cacheMs,
  paths = routePaths,
}: RouteSources): ReadonlyMap<string, Route> {
  const startedAt = now()
  const routes: Readonly<Record<RoutePath, Route>> = {
    '/health': cached(cacheMs, now, () => {
      const { status, reasons } = health()
      const uptime = Math.round(now() - startedAt) / 1000
      const body = { status, timestamp: new Date().toISOString(), uptime_seconds: uptime, version: version.version }
      return json(200, { ...body, reasons })
    }),
    '/ready': () => {
      const readiness = ready()
      return json(readiness.ready ? 200 : 503, readiness)
    },
    '/version': () => json(200, version),
    '/metrics': cached(cacheMs, now, async () => ({
      status: 200,
      contentType: metrics.contentType,
      body: await metrics.render(),
    })),
  }
  return new Map(paths.map((path) => [path, routes[path]]))
}

const allowed = ['GET', 'HEAD']

/** Answers a request. */
export async function answer(routes: ReadonlyMap<string, Route>, method: string, path: string): Promise<Answer> {
  const route = routes.get(path)
  if (route === undefined) return refusal('not_found')
  if (!allowed.includes(method)) return methodNotAllowed(allowed)
  return await route()
}
