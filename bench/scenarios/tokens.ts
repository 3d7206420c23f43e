import { createHmac, randomBytes } from 'node:crypto'
import { createTraffic, type TrafficPlan } from '../load/traffic.ts'
import { connectAll, measureTraffic } from '../load/window.ts'
import { startServer } from '../servers/server.ts'
import { bus, lossless, type Scenario, type Side } from './scenario.ts'

/** Fan-out to clients that showed tokens with grants, compared with the same bus without authentication. */

const withTokens: Side = { name: 'with tokens', server: 'bus' }
const without: Side = { ...bus, name: 'without' }

const plan = { shape: { bytes: 250, filling: 'text', ack: false } } as const

export const tokens: readonly Scenario[] = [
  scenario('tokens-1000', 1000, 1.03, { ...plan, publishers: 1, pace: { kind: 'slowest-subscriber', burst: 4 } }),
  scenario('tokens-10', 10, 1.1, { ...plan, publishers: 10, pace: { kind: 'own-delivery', inFlight: 4 } }),
]

function scenario(
  name: string,
  subscribers: number,
  ratioMax: number,
  traffic: Omit<TrafficPlan, 'positions'>,
): Scenario {
  return {
    name,
    title: `${subscribers.toLocaleString('en')} subscribers with tokens and grants, 250-byte frames`,
    sides: [withTokens, without],
    targets: [{ figure: 'cpuPerDeliveryUs', ratioMax }, ...lossless],
    async measure(side, span) {
      const isAuthenticated = side === withTokens
      const server = await startServer('bus', isAuthenticated ? settings : {})
      const { path } = server.endpoint
      const endpoint = { ...server.endpoint, path: (id: string) => `${path(id)}&token=${tokenOf(id)}` }
      const load = createTraffic({ ...traffic, positions: server.positions }, subscribers)
      const connections = await connectAll(isAuthenticated ? { ...server, endpoint } : server, subscribers, load)
      const figures = await measureTraffic(server, load, connections, span)
      await server.stop()
      return { ...figures }
    },
  }
}

const secret = randomBytes(32).toString('base64url')
const settings = {
  ARQONBUS_AUTH: 'token',
  ARQONBUS_TOKEN_SECRET: secret,
  ARQONBUS_TOKEN_AUDIENCE: 'bench',
  ARQONBUS_TOKEN_IN_QUERY: 'on',
}

const encoded = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')

/** A token for a client id, with grants like those of an application. */
function tokenOf(sub: string): string {
  const iat = Math.floor(Date.now() / 1000)
  const permissions = { 'bench:*': ['join', 'publish', 'history', 'create'], 'other-*:*': ['join'] }
  const claims = { sub, aud: 'bench', iat, exp: iat + 3600, arqonbus: { permissions, client_type: 'service' } }
  const head = `${encoded({ alg: 'HS256', typ: 'JWT' })}.${encoded(claims)}`
  return `${head}.${createHmac('sha256', secret).update(head).digest('base64url')}`
}
