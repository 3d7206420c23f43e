import type { WebSocketConstructor } from './types.ts'

/** The WebSocket of this runtime; undefined if it has none. */
export async function findWebSocket(): Promise<WebSocketConstructor | undefined> {
  return globalThis.WebSocket
}
