/** Metrics and health on a port of their own, and the token that metrics need. */
import { createKeyCheck } from '../auth/secrets.ts'
import type { Config } from '../config/index.ts'
import { type HttpOptions, type HttpPort, serveHttp } from '../http/serve.ts'
import { createListenPlainly } from '../peers/bind.ts'
import { takeOver } from '../sockets/take-over.ts'
import type { Core } from './core.ts'

/** What this port and the HTTP port have in common. */
export type SharedOptions = Omit<HttpOptions, 'host' | 'port' | 'names'>

/**
 * Opens the port of the metrics, where they have one. It is for programs inside of the network: they speak no PROXY
 * protocol.
 */
export function openMetrics(
  { metricsPort: port, metricsHost, httpHost }: Config,
  shared: SharedOptions,
): HttpPort | undefined {
  if (port === undefined) return undefined
  return serveHttp({
    ...shared,
    listen: createListenPlainly(takeOver),
    host: metricsHost ?? httpHost,
    port,
    names: {
      server: 'HTTP server of the metrics',
      settings: { host: 'ARQONBUS_METRICS_HOST', port: 'ARQONBUS_METRICS_PORT' },
    },
    paths: ['/metrics', '/health', '/ready'],
  })
}

/** Creates the check of the token that `/metrics` needs; undefined where it needs none. */
export function createMetricsTokenCheck({ config, reload }: Core): HttpOptions['isMetricsToken'] {
  if (config.metricsToken === undefined) return undefined
  let check = createKeyCheck(config.metricsToken)
  reload.add({
    name: 'metrics_token',
    settings: ['metricsToken'],
    prepare({ metricsToken }) {
      if (metricsToken === undefined) throw new Error('ARQONBUS_METRICS_TOKEN must be set: to need none, restart')
      return () => {
        check = createKeyCheck(metricsToken)
      }
    },
  })
  return (token) => check(token)
}
