/** A handler that accepts the richer events of browsers and of `ws`. */
type Handler<Event> = { handle(event: Event): void }['handle'] | null

/** The part of a WebSocket that the client uses; those of browsers, Bun, Deno, Node 22 and `ws` have it. */
export type WebSocketLike = {
  /** Bytes passed to `send` that the network has not taken yet. */
  readonly bufferedAmount: number
  onopen: Handler<never>
  onmessage: Handler<{ data: unknown }>
  onerror: Handler<never>
  onclose: Handler<{ code: number; reason: string }>
  send(text: string): void
  close(code?: number, reason?: string): void
}

/** Opens a WebSocket; the values in `protocols` are offered as subprotocols. */
export type WebSocketConstructor = new (url: string, protocols: string[]) => WebSocketLike
