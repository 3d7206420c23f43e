/** Listening: at an address, or behind a relay there, where proxies speak the PROXY protocol. */
import type { Logger } from '../kit/logger.ts'
import type { Metrics } from '../kit/metrics.ts'
import { LOOPBACK, openRelay, type Relay } from './relay.ts'

/** What a server of the runtime can do, as far as it matters here. */
export type Listening = {
  readonly port?: number | undefined
  stop(closeActiveConnections?: boolean): Promise<void>
}

/** A server that listens. */
export type Listener<Server> = {
  readonly server: Server
  /** The port that clients connect to. */
  readonly port: number
  /** Where a connection comes from, by what the server knows of it. */
  addressOf(peer: { readonly address: string; readonly port: number } | null | undefined): string
  /** Takes no more connections; ends when those that are open have ended, or at once with `true`. */
  stop(closeActiveConnections?: boolean): Promise<void>
}

/** Makes a server listen; throws what the runtime throws where that is not possible. */
export type Listen = <Server extends Listening>(
  where: { readonly host: string; readonly port: number },
  serve: (hostname: string, port: number) => Server,
) => Listener<Server>

/** The usual way. */
export const listenPlainly: Listen = ({ host, port }, serve) => {
  const server = serve(host, port)
  return {
    server,
    port: server.port ?? port,
    addressOf: (peer) => peer?.address ?? '',
    stop: (isNow) => server.stop(isNow),
  }
}

/** Behind a relay, which costs three descriptors for a connection in place of one. */
export const listenBehindRelay =
  (isTrusted: (address: string) => boolean, logger: Logger, metrics: Pick<Metrics, 'refuseConnection'>): Listen =>
  (where, serve) => {
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
