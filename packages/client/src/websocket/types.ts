/** A handler that may expect a richer event than is used here: that of a browser, or of `ws`. */
type Handler<Event> = { handle(event: Event): void }['handle'] | null

/** The part of a WebSocket that the client uses: that of browsers, Bun, Deno, Node 22 and `ws` all have it. */
export type WebSocketLike = {
  /** Bytes handed over by `send` that the network has not taken yet. */
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
