/** A Bun socket as the bus sees it: bytes and nothing else. */
import type { Server, ServerWebSocket } from 'bun'
import type { Metrics } from '../observability/metrics.ts'
import { type Ending, endedBy, endedByServer } from '../state/ending.ts'
import type { Flow, Transport } from '../state/transport.ts'
import type { IsCompressed } from './compression.ts'
import type { Topics } from './port-topics.ts'
import { type Peer, tcpBytes } from './tcp.ts'

/** WebSocket.OPEN. */
const OPEN = 1

/** What a transport notes of its socket. */
type Closable = { ending: Ending | undefined }

/** What a transport is made of. */
type TransportParts<Data extends Closable> = {
  readonly socket: ServerWebSocket<Data>
  /** The other end, where it is known. */
  readonly peer: Peer | undefined
  readonly metrics: Pick<Metrics, 'bytesOut'>
  readonly topics: Topics<Server<Data>>
  /** The server of the port that the socket belongs to. */
  readonly server: Server<Data>
  readonly isCompressed: IsCompressed
}

let transports = 0

/**
 * Wraps a socket. Nothing is done to one that is closed. A class, because each connection has one: methods are shared.
 */
export class BunTransport<Data extends Closable> implements Transport {
  readonly #socket: ServerWebSocket<Data>
  readonly #peer: Peer | undefined
  readonly #metrics: Pick<Metrics, 'bytesOut'>
  readonly #topics: Topics<Server<Data>>
  readonly #server: Server<Data>
  readonly #isCompressed: IsCompressed
  /** A topic that this socket alone has subscribed to, made when it is first needed. */
  #ownTopic: string | undefined
  #isPaused = false
  #hasWelcome = false

  constructor({ socket, peer, metrics, topics, server, isCompressed }: TransportParts<Data>) {
    this.#socket = socket
    this.#peer = peer
    this.#metrics = metrics
    this.#topics = topics
    this.#server = server
    this.#isCompressed = isCompressed
  }

  send(text: string): void {
    this.#metrics.bytesOut += text.length
    // The welcome, the first frame of all, has the session beside what the client says of itself: by the length of both
    // together, compressed, the one could be found by guesses in the other.
    this.#socket.sendText(text, this.#hasWelcome && this.#isCompressed(text))
    this.#hasWelcome = true
  }

  /**
   * The runtime writes what was published when the tick is over, once for each socket; what is sent goes out by itself.
   */
  sendBehindPublished(text: string): void {
    this.#metrics.bytesOut += text.length
    if (this.#ownTopic === undefined) {
      if (this.#socket.readyState !== OPEN) return
      this.#ownTopic = `@${++transports}`
      this.#socket.subscribe(this.#ownTopic)
    }
    this.#topics.publish(this.#ownTopic, text)
  }

  publishToOthers(topic: string, text: string): boolean {
    return this.#topics.publishToOthers(this.#socket, this.#server, topic, text)
  }

  subscribe(topic: string): void {
    if (this.#socket.readyState === OPEN) this.#socket.subscribe(topic)
  }

  unsubscribe(topic: string): void {
    if (this.#socket.readyState === OPEN) this.#socket.unsubscribe(topic)
  }

  bufferedBytes(): number {
    return this.#socket.getBufferedAmount()
  }

  get isPaused(): boolean {
    return this.#isPaused
  }

  pause(): void {
    if (this.#isPaused || this.#socket.readyState !== OPEN) return
    this.#isPaused = true
    this.#socket.pause()
  }

  resume(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    if (this.#socket.readyState === OPEN) this.#socket.resume()
  }

  ping(): void {
    this.#socket.ping()
  }

  flow(): Flow {
    const buffered = this.#socket.getBufferedAmount()
    const bytes = this.#peer && tcpBytes(this.#peer)
    if (bytes === undefined) return { received: 0, left: -buffered, isWaiting: buffered > 0 }
    return { received: bytes.received, left: bytes.confirmed, isWaiting: buffered + bytes.unsent > 0 }
  }

  close(code: number, reason: string): void {
    this.#socket.data.ending ??= endedBy('server', code)
    this.#socket.close(code, reason)
  }

  terminate(): void {
    this.#socket.data.ending ??= endedByServer('abnormal')
    this.#socket.terminate()
  }
}
