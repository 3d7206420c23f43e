/** Listening at an address, as proxies in front of it need it, and with a certificate that may be replaced. */

/** What a server of the runtime can do, as far as it matters here. */
export type Listening = {
  readonly port?: number | undefined
  stop(closeActiveConnections?: boolean): Promise<void>
}

/** Starts a server; `isShared` where another one of this process may listen on the same port. */
export type Serve<Server> = (hostname: string, port: number, isShared: boolean) => Server

/** What takes the place of a server. */
export type Successor<Server> = {
  readonly server: Server
  /** Ends when the earlier server has no connections any more. */
  readonly ended: Promise<void>
}

/** A server that listens. */
export type Listener<Server> = {
  /** The one that takes connections now. */
  readonly server: Server
  /** The port that clients connect to. */
  readonly port: number
  /** Where a connection to one of its servers comes from, by what that server knows of it. */
  addressOf(peer: { readonly address: string; readonly port: number } | null | undefined, server: Server): string
  /**
   * Starts a server in the place of the current one, as with a new certificate, which the runtime cannot change. Open
   * connections stay with the server that took them.
   */
  renew(): Successor<Server>
  /** Takes no more connections; ends when those that are open have ended, or at once with `true`. */
  stop(closeActiveConnections?: boolean): Promise<void>
}

/** Starts a server that listens; throws what the runtime throws if it cannot. */
export type Listen = <Server extends Listening>(
  where: { readonly host: string; readonly port: number },
  serve: Serve<Server>,
) => Listener<Server>

/** Lets a server take the place of another one on the same port. */
export type TakeOver = <Server extends Listening>(
  earlier: Server,
  port: number,
  serve: (isShared: boolean) => Server,
) => Successor<Server>

/** The usual way. */
export function createListenPlainly(takeOver: TakeOver): Listen {
  return ({ host, port: wanted }, serve) => {
    const servers = createServers(serve(host, wanted, false))
    const port = servers.current.port ?? wanted
    return {
      get server() {
        return servers.current
      },
      port,
      addressOf: (peer) => peer?.address ?? '',
      renew: () => servers.replace(takeOver(servers.current, port, (isShared) => serve(host, port, isShared))),
      stop: servers.stop,
    }
  }
}

/** The servers of a listener: the current one, and earlier ones that still have connections. */
export function createServers<Server extends Listening>(first: Server) {
  let current = first
  const all = new Set([first])
  return {
    get current() {
      return current
    },
    replace(successor: Successor<Server>): Successor<Server> {
      const earlier = current
      current = successor.server
      all.add(current)
      void successor.ended.then(() => all.delete(earlier))
      return successor
    },
    async stop(isNow?: boolean) {
      await Promise.all(Array.from(all, (server) => server.stop(isNow)))
    },
  }
}
