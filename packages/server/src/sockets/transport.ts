/** A Bun socket as the bus sees it: bytes and nothing else. */
import type { ServerWebSocket } from 'bun'
import type { Metrics } from '../kit/metrics.ts'
import type { PublishToTopic, Transport } from '../state/transport.ts'

/** WebSocket.OPEN. */
const OPEN = 1

/** Wraps a socket. Nothing is done to one that is closed. */
export function createTransport<Data>(
  socket: ServerWebSocket<Data>,
  metrics: Pick<Metrics, 'bytesOut'>,
  publish: PublishToTopic,
): Transport {
  return new BunTransport(socket, metrics, publish)
}

let transports = 0

/** A class, because each connection has one: methods are shared. */
class BunTransport<Data> implements Transport {
  readonly #socket: ServerWebSocket<Data>
  readonly #metrics: Pick<Metrics, 'bytesOut'>
  readonly #publish: PublishToTopic
  /** A topic that this socket alone has subscribed to, made when it is first needed. */
  #ownTopic: string | undefined
  #isPaused = false

  constructor(socket: ServerWebSocket<Data>, metrics: Pick<Metrics, 'bytesOut'>, publish: PublishToTopic) {
    this.#socket = socket
    this.#metrics = metrics
    this.#publish = publish
  }

  send(text: string): void {
    this.#metrics.bytesOut += text.length
    this.#socket.sendText(text)
  }

  /** The runtime writes what was published when the tick is over, once for each socket; what is sent goes out by itself. */
  sendBehindPublished(text: string): void {
    this.#metrics.bytesOut += text.length
    if (this.#ownTopic === undefined) {
      if (this.#socket.readyState !== OPEN) return
      this.#ownTopic = `@${++transports}`
      this.#socket.subscribe(this.#ownTopic)
    }
    this.#publish(this.#ownTopic, text)
  }

  publishToOthers(topic: string, text: string): boolean {
    return this.#socket.publishText(topic, text) > 0
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

  close(code: number, reason: string): void {
    this.#socket.close(code, reason)
  }

  terminate(): void {
    this.#socket.terminate()
  }
}
