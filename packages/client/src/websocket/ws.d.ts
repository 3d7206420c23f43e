declare module 'ws' {
  import type { WebSocketConstructor } from './types.ts'

  /** The client class of `ws`, with the members used here. */
  export const WebSocket: WebSocketConstructor
}
