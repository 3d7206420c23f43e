/** The simulated WebSocket of one client: its frames move when the simulation takes a step. */
import type { BusHandler, InboundState, Transport } from '@arqonbus/server'
import { selfDeclared } from '@arqonbus/server'
import type { Random } from '../random.ts'

/** What a client connects with, and its callbacks. */
export type ConnectOptions = {
  readonly clientId: string
  readonly echo: boolean
  readonly session: string | undefined
  onFrame(text: string): void
  /** The connection ended; 1006 without a close frame. */
  onClose(code: number): void
}

/** The client's end of a connection. */
export type ClientConnection = {
  sendToServer(text: string): void
  /** False: the client leaves arriving frames unread. */
  isReading: boolean
  /** Closes the connection after everything that was sent. */
  close(): void
}

/** A step of the simulation. */
export type Step = (random: Random) => void

/** The server's side of the network, which its connections share. */
export type SimulatedPort = {
  readonly handler: BusHandler
  readonly sendBufferHardLimit: number
  /** Open connections. */
  readonly connections: Set<SimulatedConnection>
  /** Publishes to all subscribers of a topic but one; false if some of them could not take the frame at once. */
  publish(topic: string, text: string, except?: SimulatedConnection): boolean
}

/** Bytes that the wire holds in the direction of the client. */
const WIRE_BYTES = 16 * 1024

/** The most frames that a client reads in one step. */
const MAX_FRAMES_READ = 12

/**
 * A connection with both ends. It behaves as those of the runtime do: what the client does not read fills the wire,
 * then the send buffer of the server; over the hard limit nothing more is sent, and the connection ends when the client
 * has read what is on the wire.
 */
export class SimulatedConnection implements ClientConnection {
  isReading = true
  /** Topics that the server has subscribed it to. */
  readonly topics = new Set<string>()
  /** Undefined: the client closes. */
  readonly #toServer: (string | undefined)[] = []
  readonly #wire = new FrameQueue()
  readonly #sendBuffer = new FrameQueue()
  readonly #options: ConnectOptions
  readonly #port: SimulatedPort
  /** What the server made of it when it accepted it. */
  inbound!: InboundState
  #isOverLimit = false
  #closeCode: number | undefined
  #hasEnded = false
  /** The server's end. */
  readonly #transport: Transport & { isPaused: boolean } = {
    send: (text) => void this.push(text),
    sendBehindPublished: (text) => void this.push(text),
    publishToOthers: (topic, text) => this.#port.publish(topic, text, this),
    subscribe: (topic) => void this.topics.add(topic),
    unsubscribe: (topic) => void this.topics.delete(topic),
    bufferedBytes: () => this.bufferedBytes,
    isPaused: false,
    pause: () => {
      this.#transport.isPaused = true
    },
    resume: () => {
      this.#transport.isPaused = false
    },
    ping() {},
    flow: () => ({ received: 0, left: -this.#sendBuffer.bytes, isWaiting: this.#sendBuffer.bytes > 0 }),
    close: (code) => {
      this.#closeCode ??= code
    },
    terminate: () => this.#end(1006),
  }

  constructor(options: ConnectOptions, port: SimulatedPort) {
    this.#options = options
    this.#port = port
  }

  /** The server accepts the connection. */
  open(): void {
    this.#port.connections.add(this)
    const { clientId, echo, session } = this.#options
    const request = {
      clientId,
      echo,
      session,
      profile: {},
      joins: [],
      keepsSession: true,
      isResumingLive: false,
      token: undefined,
      authenticated: selfDeclared.user,
    }
    this.inbound = this.#port.handler.open(request, this.#transport)
  }

  /** Bytes in the send buffer of the server. */
  get bufferedBytes(): number {
    return this.#sendBuffer.bytes
  }

  sendToServer(text: string): void {
    this.#toServer.push(text)
  }

  close(): void {
    this.#toServer.push(undefined)
  }

  /** The steps that are possible now. */
  steps(): Step[] {
    const possible: Step[] = []
    if (this.#toServer.length > 0 && !this.#transport.isPaused) possible.push(() => this.#serverReads())
    const isOver = this.#isOverLimit || (this.#closeCode !== undefined && this.#sendBuffer.length === 0)
    if (this.isReading && (this.#wire.length > 0 || isOver)) possible.push((random) => this.#clientReads(random))
    return possible
  }

  /** Takes a frame from the server; false if it has to wait behind the wire. */
  push(text: string): boolean {
    if (this.#hasEnded || this.#isOverLimit || this.#closeCode !== undefined) return true
    if (this.#sendBuffer.length === 0 && this.#hasRoomOnWire(text)) {
      this.#wire.push(text)
      return true
    }
    this.#isOverLimit = this.#sendBuffer.bytes + text.length > this.#port.sendBufferHardLimit
    if (!this.#isOverLimit) this.#sendBuffer.push(text)
    return false
  }

  #serverReads(): void {
    const text = this.#toServer.shift()
    if (text === undefined) this.#end(1000)
    else if (this.#closeCode === undefined && !this.#isOverLimit) this.#port.handler.message(this.inbound, text)
  }

  #clientReads(random: Random): void {
    for (let left = 1 + random.below(MAX_FRAMES_READ); left > 0 && this.#wire.length > 0; left--)
      this.#options.onFrame(this.#wire.shift())
    if (this.#isOverLimit) {
      if (this.#wire.length === 0) this.#end(1006)
      return
    }
    // The runtime reports an empty buffer, and now and then one that is not empty yet.
    if (this.#refillWire() && (this.#sendBuffer.length === 0 || random.chance(50)))
      this.#port.handler.writable(this.inbound)
    if (this.#wire.length === 0 && this.#closeCode !== undefined) this.#end(this.#closeCode)
  }

  /** Moves frames from the send buffer to the wire; true if any. */
  #refillWire(): boolean {
    const before = this.#sendBuffer.length
    while (this.#sendBuffer.length > 0 && this.#hasRoomOnWire(this.#sendBuffer.first!))
      this.#wire.push(this.#sendBuffer.shift())
    return this.#sendBuffer.length < before
  }

  #hasRoomOnWire(text: string): boolean {
    return this.#wire.length === 0 || this.#wire.bytes + text.length <= WIRE_BYTES
  }

  #end(code: number): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    this.#port.connections.delete(this)
    const by = this.#closeCode === undefined ? 'client' : 'server'
    this.#port.handler.close(this.inbound, { code, reason: '', by })
    this.#options.onClose(code)
  }
}

/** Frames in order, and their bytes. */
class FrameQueue {
  bytes = 0
  readonly #frames: string[] = []

  get length(): number {
    return this.#frames.length
  }

  get first(): string | undefined {
    return this.#frames[0]
  }

  push(text: string): void {
    this.#frames.push(text)
    this.bytes += text.length
  }

  shift(): string {
    const text = this.#frames.shift()!
    this.bytes -= text.length
    return text
  }
}
