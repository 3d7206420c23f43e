/** Listening behind a relay, where proxies speak the PROXY protocol. */
import type { Logger } from '../observability/logger.ts'
import type { Metrics } from '../observability/metrics.ts'
import { createListenPlainly, createServers, type Listen } from '../peers/bind.ts'
import { createTrust } from '../peers/client-address.ts'
import { stopLater, takeOver } from './take-over.ts'
import { LOOPBACK, openRelay, type Relay } from './tcp-relay.ts'

/** What listening needs. */
type ListenDeps = {
  readonly config: { readonly proxyProtocol: boolean; readonly trustedProxies: readonly string[] }
  readonly logger: Logger
  readonly metrics: Pick<Metrics, 'refuseConnection'>
}

/** How the ports listen, by the settings: plainly, or behind a relay, which costs three descriptors a connection. */
export function createListen({ config, logger, metrics }: ListenDeps): Listen {
  if (!config.proxyProtocol) return createListenPlainly(takeOver)
  const isTrusted = createTrust(config.trustedProxies)
  return (where, serve) => {
    const start = () => serve(LOOPBACK, 0, false)
    const servers = createServers(start())
    let relay: Relay
    try {
      relay = openRelay({
        ...where,
        serverPort: () => servers.current.port!,
        isTrusted,
        refused(fault, address) {
          metrics.refuseConnection('proxy_protocol')
          logger.info({ event: 'connection_refused', reason: 'proxy_protocol', fault, address })
        },
      })
    } catch (problem) {
      void servers.stop(true)
      throw problem
    }
    return {
      get server() {
        return servers.current
      },
      port: relay.port,
      // A program of this machine that found the port of the server is itself.
      addressOf: (peer, { port }) => (peer ? (relay.addressOf(port!, peer.port) ?? peer.address) : ''),
      renew: () => servers.replace({ server: start(), ended: stopLater(servers.current) }),
      async stop(isNow) {
        relay.stop()
        await servers.stop(isNow)
        if (isNow === true) relay.close()
      },
    }
  }
}
