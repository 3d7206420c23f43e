/** Clients of other addresses: each connects as through a proxy that the bus trusts. */
import type { Config } from '@arqonbus/server'
import { startBus, type TestBus, type TestClient } from '@arqonbus/testing'

/** A bus that takes the address of a client from the header of a proxy on this machine. */
export const behindProxy = (config: Partial<Config> = {}, options: Parameters<typeof startBus>[1] = {}) =>
  startBus({ trustedProxies: ['loopback'], rateLimit: null, ...config }, options)

/** A client at an address. */
export const at = (
  bus: TestBus,
  address: string,
  id: string,
  query: Record<string, string> = {},
): Promise<TestClient> => bus.connect({ query: { client_id: id, ...query }, headers: { 'x-forwarded-for': address } })

/** Two addresses: the one at home, and that of a stranger. */
export const HOME = '192.0.2.1'
export const AWAY = '198.51.100.7'
