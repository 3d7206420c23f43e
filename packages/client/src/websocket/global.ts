import type { WebSocketConstructor } from './types.ts'

/** The WebSocket of this runtime; undefined where it has none. */
export async function findWebSocket(): Promise<WebSocketConstructor | undefined> {
  return globalThis.WebSocket
}
