/** Listening behind a relay, where proxies speak the PROXY protocol. */
import type { Logger } from '../observability/logger.ts'
import type { Metrics } from '../observability/metrics.ts'
import { type Listen, listenPlainly } from '../peers/bind.ts'
import { createTrust } from '../peers/client-address.ts'
import { LOOPBACK, openRelay, type Relay } from './tcp-relay.ts'

/** What listening needs. */
type ListenDeps = {
  readonly config: { readonly proxyProtocol: boolean; readonly trustedProxies: readonly string[] }
  readonly logger: Logger
  readonly metrics: Pick<Metrics, 'refuseConnection'>
}

/** How the ports listen, by the settings: plainly, or behind a relay, which costs three descriptors a connection. */
export function createListen({ config, logger, metrics }: ListenDeps): Listen {
  if (!config.proxyProtocol) return listenPlainly
  const isTrusted = createTrust(config.trustedProxies)
  return (where, serve) => {
    const server = serve(LOOPBACK, 0)
    let relay: Relay
    try {
      relay = openRelay({
        ...where,
        serverPort: server.port!,
        isTrusted,
        refused(fault, address) {
          metrics.refuseConnection('proxy_protocol')
          logger.info({ event: 'connection_refused', reason: 'proxy_protocol', fault, address })
        },
      })
    } catch (problem) {
      void server.stop(true)
      throw problem
    }
    return {
      server,
      port: relay.port,
      // A program of this machine that found the port of the server is itself.
      addressOf: (peer) => (peer ? (relay.addressOf(peer.port) ?? peer.address) : ''),
      async stop(isNow) {
        relay.stop()
        await server.stop(isNow)
        if (isNow === true) relay.close()
      },
    }
  }
}
