declare module 'ws' {
  import type { WebSocketConstructor } from './types.ts'

  /** The client side of `ws`, as far as it is used here. */
  export const WebSocket: WebSocketConstructor
}
