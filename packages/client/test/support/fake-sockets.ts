import type { WebSocketConstructor, WebSocketLike } from '../../src/websocket/types.ts'

/** The server side of a socket in memory, for tests of the timing of the state machines. */
export type FakeSocket = {
  readonly url: string
  readonly protocols: string[]
  /** The frames that the client has sent. */
  readonly sent: string[]
  /** The code and reason with which the client closed. */
  readonly closedWith: { code?: number | undefined; reason?: string | undefined } | undefined
  open(): void
  deliver(frame: object | string): void
  /** Opens and sends a welcome. */
  welcome(about?: object): void
  end(code: number, reason?: string): void
}

/** A WebSocket constructor, and the sockets that it created. */
export function createFakeSockets(): { WebSocket: WebSocketConstructor; sockets: FakeSocket[] } {
  const sockets: FakeSocket[] = []

  function connect(this: unknown, url: string, protocols: string[]): WebSocketLike {
    const sent: string[] = []
    let closedWith: FakeSocket['closedWith']
    const near: WebSocketLike = {
      bufferedAmount: 0,
      onopen: null,
      onmessage: null,
      onerror: null,
      onclose: null,
      send: (text) => void sent.push(text),
      close(code, reason) {
        closedWith = { code, reason }
      },
    }
    const far: FakeSocket = {
      url,
      protocols,
      sent,
      get closedWith() {
        return closedWith
      },
      open: () => near.onopen?.(undefined as never),
      deliver: (frame) => near.onmessage?.({ data: typeof frame === 'string' ? frame : JSON.stringify(frame) }),
      welcome(about = {}) {
        far.open()
        const payload = {
          event: 'welcome',
          client: { client_id: 'ann' },
          session: 's1',
          limits: { max_message_bytes: 262144, dedup_window_ms: 120_000 },
          heartbeat_ms: 25_000,
          resumed: false,
          ...about,
        }
        far.deliver({ type: 'system', payload })
      },
      end: (code, reason = '') => near.onclose?.({ code, reason }),
    }
    sockets.push(far)
    return near
  }

  return { WebSocket: connect as unknown as WebSocketConstructor, sockets }
}
