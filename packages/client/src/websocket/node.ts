import type { WebSocketConstructor } from './types.ts'

/**
 * The WebSocket of this runtime, or that of `ws` if it has none: Node has its own from version 22 on.
 * Bundlers for browsers never include this file (`imports` in package.json).
 */
export async function findWebSocket(): Promise<WebSocketConstructor | undefined> {
  if (globalThis.WebSocket !== undefined) return globalThis.WebSocket
  const { WebSocket } = await import('ws')
  return WebSocket
}
