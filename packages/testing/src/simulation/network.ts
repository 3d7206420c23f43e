/**
 * Sockets without a system below them: what travels, waits and ends does so one step at a time, and chance says which.
 * A line behaves as those of the runtime do: what the peer does not read fills the wire, then the buffer of the server;
 * over the hard limit the line is cut behind what the wire holds.
 */
import type { BusHandler, InboundState, StartOptions, Transport } from '@arqonbus/server'
import type { Random } from '../random.ts'

/** What a client asks for when it connects, and its end of the line. */
export type Call = {
  readonly clientId: string
  readonly echo: boolean
  readonly session: string | undefined
  /** A frame arrives. */
  frame(text: string): void
  /** The line has ended; 1006 where nobody said why. */
  ended(code: number): void
}

/** A client's end of a line. */
export type Line = {
  send(text: string): void
  /** False: the client lets everything lie. */
  isReading: boolean
  /** Ends it from the client's side, behind what it has sent. */
  hangUp(): void
}

/** A network with one bus in it. */
export type Network = {
  /** Creates the port of the bus: hand it to `startServer`. */
  readonly createBusPort: NonNullable<StartOptions['createBusPort']>
  connect(call: Call): Line
  /** One thing happens that can; false where nothing can. */
  step(random: Random): boolean
}

/** Bytes that a wire holds. */
const WIRE_BYTES = 16 * 1024

/** Frames that a client takes at once, at most. */
const MOST_FRAMES = 12

/** Makes one. */
export function createNetwork(): Network {
  const lines = new Set<SimulatedLine>()
  const topics = new Map<string, Set<SimulatedLine>>()
  let handler: BusHandler
  let sendBufferHardLimit = 0

  /** True where all who are subscribed could take it at once. */
  const publish = (topic: string, text: string, except?: SimulatedLine): boolean => {
    let isInTime = true
    for (const line of topics.get(topic) ?? []) if (line !== except && !line.push(text)) isInTime = false
    return isInTime
  }

  const createLine = (call: Call): SimulatedLine => {
    const toServer: (string | undefined)[] = []
    const wire: string[] = []
    const buffer: string[] = []
    let wireBytes = 0
    let bufferBytes = 0
    let isPaused = false
    let isCut = false
    let hasEnded = false
    let goodbye: number | undefined
    let inbound: InboundState

    const end = (code: number) => {
      if (hasEnded) return
      hasEnded = true
      lines.delete(line)
      for (const subscribers of topics.values()) subscribers.delete(line)
      handler.close(inbound)
      call.ended(code)
    }
    /** What the client has read makes room on the wire. */
    const fillWire = (): boolean => {
      const before = buffer.length
      while (buffer.length > 0 && (wire.length === 0 || wireBytes + buffer[0]!.length <= WIRE_BYTES)) {
        const text = buffer.shift()!
        bufferBytes -= text.length
        wire.push(text)
        wireBytes += text.length
      }
      return buffer.length < before
    }
    const receive = (random: Random) => {
      for (let left = 1 + random.below(MOST_FRAMES); left > 0 && wire.length > 0; left--) {
        const text = wire.shift()!
        wireBytes -= text.length
        call.frame(text)
      }
      if (isCut) {
        if (wire.length === 0) end(1006)
        return
      }
      // The runtime tells when the buffer is empty, and now and then before.
      if (fillWire() && (buffer.length === 0 || random.chance(50))) handler.writable(inbound)
      if (wire.length === 0 && goodbye !== undefined) end(goodbye)
    }
    const serve = () => {
      const text = toServer.shift()
      if (text === undefined) end(1000)
      else if (goodbye === undefined && !isCut) handler.message(inbound, text)
    }
    const transport: Transport = {
      send: (text) => void line.push(text),
      sendBehindPublished: (text) => void line.push(text),
      publishToOthers: (topic, text) => publish(topic, text, line),
      subscribe(topic) {
        const subscribers = topics.get(topic) ?? new Set()
        topics.set(topic, subscribers.add(line))
      },
      unsubscribe: (topic) => void topics.get(topic)?.delete(line),
      bufferedBytes: () => bufferBytes,
      get isPaused() {
        return isPaused
      },
      pause: () => {
        isPaused = true
      },
      resume: () => {
        isPaused = false
      },
      ping() {},
      flow: () => ({ received: 0, left: -bufferBytes, isWaiting: bufferBytes > 0 }),
      close: (code) => {
        goodbye ??= code
      },
      terminate: () => end(1006),
    }
    const line: SimulatedLine = {
      isReading: true,
      send: (text) => void toServer.push(text),
      hangUp: () => void toServer.push(undefined),
      push(text) {
        if (hasEnded || isCut || goodbye !== undefined) return true
        if (buffer.length === 0 && (wire.length === 0 || wireBytes + text.length <= WIRE_BYTES)) {
          wire.push(text)
          wireBytes += text.length
          return true
        }
        if (bufferBytes + text.length > sendBufferHardLimit) {
          isCut = true
          return false
        }
        buffer.push(text)
        bufferBytes += text.length
        return false
      },
      steps() {
        const possible: ((random: Random) => void)[] = []
        if (toServer.length > 0 && !isPaused) possible.push(serve)
        const isOver = wire.length === 0 && (isCut || (goodbye !== undefined && buffer.length === 0))
        if (line.isReading && (wire.length > 0 || isOver)) possible.push(receive)
        return possible
      },
    }
    lines.add(line)
    const arrival = {
      clientId: call.clientId,
      profile: {},
      joins: [],
      isResumingLive: false,
      token: undefined,
      echo: call.echo,
      session: call.session,
    }
    inbound = handler.open(arrival, transport)
    return line
  }

  return {
    createBusPort(options) {
      sendBufferHardLimit = options.sendBufferBytes
      return {
        listen(busHandler) {
          handler = busHandler
        },
        url: 'ws://simulated/',
        port: 0,
        get connections() {
          return lines.size
        },
        publish,
        queueBytes: () => 0,
        close: async () => {},
      }
    },
    connect: createLine,
    step(random) {
      const possible = [...lines].flatMap((line) => line.steps())
      if (possible.length === 0) return false
      random.pick(possible)(random)
      return true
    },
  }
}

type SimulatedLine = Line & {
  /** A frame leaves the server; true where the wire took it. */
  push(text: string): boolean
  steps(): ((random: Random) => void)[]
}
