/** Listening at an address, as proxies in front of it need it. */

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

/** Starts a server that listens; throws what the runtime throws if it cannot. */
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
