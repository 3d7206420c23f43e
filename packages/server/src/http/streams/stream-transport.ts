/** A stream of events as the bus sees it: a connection that is only sent to. */
import { closeCodes } from '@arqonbus/protocol'
import type { Metrics } from '../../observability/metrics.ts'
import { type Ending, endedBy, endedByServer } from '../../state/ending.ts'
import type { Flow, Transport } from '../../state/transport.ts'
import { Delivered, event } from './event.ts'
import type { Listener, StreamTopics } from './stream-topics.ts'

/** What a stream is made of. */
type StreamDeps = {
  readonly metrics: Pick<Metrics, 'bytesOut'>
  readonly topics: StreamTopics
  /**
   * Makes the id of a message of its address and its position, for a stream of several channels; without it the
   * position is the id.
   */
  readonly idOf?: ((address: string, position: string) => string) | undefined
  /** A reader behind which more than this waits is cut. */
  readonly sendBufferHardLimit: number
  /** Its reader does not keep up: a text waits behind more than a reader that does has. */
  readonly late: (text: string) => void
  /** There is room for more. */
  readonly drained: () => void
  /** Its reader takes what it is sent. */
  readonly heard: () => void
  /** The server ends it: what waits still goes out. */
  readonly ending: () => void
  /** It has ended, by whichever side: called once. */
  readonly gone: (ending: Ending) => void
}

/** A reader that keeps up has less than this waiting. */
const LOW_WATER_BYTES = 64 * 1024

const encoder = new TextEncoder()
const HEARTBEAT = ':\n\n'

/** HTTP has no close frame: a reader that has enough ends the connection. */
const readerGone = endedBy('client', closeCodes.abnormal.code)
const cutOff = endedByServer('abnormal')

/** A class, because each stream has one: methods are shared. */
export class StreamTransport implements Transport, Listener {
  /** What the response sends. */
  readonly body: ReadableStream<Uint8Array>
  readonly isPaused = false
  readonly #deps: StreamDeps
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined
  #queue: string[] = []
  #bytes = 0
  /** Bytes that the runtime has taken, from the beginning. */
  #given = 0
  /** True while the runtime waits for more. */
  #isWanted = false
  #state: 'open' | 'ending' | 'gone' = 'open'
  /** How it ends, once the server has closed it. */
  #ending: Ending | undefined

  constructor(deps: StreamDeps) {
    this.#deps = deps
    this.body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller
        },
        pull: () => {
          this.#isWanted = true
          this.#flush()
          if (this.#bytes < LOW_WATER_BYTES && this.#state === 'open') deps.drained()
        },
        cancel: () => this.#go(readerGone),
      },
      // Nothing is taken before the socket takes it: what waits is counted here.
      { highWaterMark: 0 },
    )
  }

  /** True from where nothing more is sent on. */
  get hasEnded(): boolean {
    return this.#state !== 'open'
  }

  send(text: string): void {
    this.push(this.#eventOf(new Delivered(text)))
  }

  sendBehindPublished(text: string): void {
    this.send(text)
  }

  /** What is published has been counted for all subscribers. */
  deliver(delivered: Delivered): boolean {
    return this.#add(this.#eventOf(delivered))
  }

  /** Sends the text of an event. */
  push(text: string): void {
    this.#deps.metrics.bytesOut += text.length
    this.#add(text)
  }

  #eventOf(delivered: Delivered): string {
    const { idOf } = this.#deps
    return idOf === undefined ? delivered.text : delivered.textWith(idOf)
  }

  #add(text: string): boolean {
    if (this.#state !== 'open') return true
    this.#queue.push(text)
    this.#bytes += Buffer.byteLength(text)
    if (this.#bytes > this.#deps.sendBufferHardLimit) this.terminate()
    // What comes in one tick goes out together.
    else if (this.#isWanted && this.#queue.length === 1) queueMicrotask(() => this.#flush())
    if (this.#bytes < LOW_WATER_BYTES) return true
    this.#deps.late(text)
    return false
  }

  /** A stream only reads: it never publishes. */
  publishToOthers(): boolean {
    return true
  }

  subscribe(topic: string): void {
    if (this.#state === 'open') this.#deps.topics.subscribe(topic, this)
  }

  unsubscribe(topic: string): void {
    this.#deps.topics.unsubscribe(topic, this)
  }

  bufferedBytes(): number {
    return this.#bytes
  }

  /** There is nothing to read from it. */
  pause(): void {}

  resume(): void {}

  /** A stream says nothing back: that it takes what it is sent is its sign of life. */
  ping(): void {
    if (this.#bytes === 0) this.#deps.heard()
    this.push(HEARTBEAT)
  }

  flow(): Flow {
    return { received: 0, left: this.#given, isWaiting: this.#bytes > 0 }
  }

  close(code: number, reason: string): void {
    this.#ending ??= endedBy('server', code)
    this.push(event({ type: 'closed', data: JSON.stringify({ code, reason }) }))
    if (this.#state !== 'open') return
    this.#state = 'ending'
    this.#deps.ending()
    this.#flush()
  }

  terminate(): void {
    this.#cut(cutOff)
  }

  /** Its reader has ended the connection. */
  abandon(): void {
    this.#cut(readerGone)
  }

  #cut(ending: Ending): void {
    if (this.#state === 'gone') return
    this.#controller?.error(new Error('the stream is cut'))
    this.#go(ending)
  }

  #flush(): void {
    if (!this.#isWanted || this.#state === 'gone') return
    if (this.#queue.length > 0) {
      this.#isWanted = false
      this.#controller?.enqueue(encoder.encode(this.#take()))
    }
    if (this.#queue.length === 0 && this.#state === 'ending') {
      this.#controller?.close()
      this.#go(cutOff)
    }
  }

  /** As many events as fit into a chunk, one at least. */
  #take(): string {
    let count = 0
    let text = ''
    while (count < this.#queue.length && (count === 0 || text.length < LOW_WATER_BYTES)) text += this.#queue[count++]!
    this.#queue.splice(0, count)
    const bytes = Buffer.byteLength(text)
    this.#bytes -= bytes
    this.#given += bytes
    return text
  }

  #go(otherwise: Ending): void {
    if (this.#state === 'gone') return
    this.#state = 'gone'
    this.#queue = []
    this.#bytes = 0
    this.#deps.gone(this.#ending ?? otherwise)
  }
}
