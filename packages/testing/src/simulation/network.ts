/** A network without sockets, with one bus in it: everything happens in single steps, in a random order. */
import { type BusHandler, SendBufferWatch, type StartOptions } from '@arqonbus/server'
import type { Random } from '../random.ts'
import { type ClientConnection, type ConnectOptions, SimulatedConnection } from './connection.ts'

/** A network with one bus in it. */
export type Network = {
  /** Creates the port of the bus: an option of `startServer`. */
  readonly createBusPort: NonNullable<StartOptions['createBusPort']>
  connect(options: ConnectOptions): ClientConnection
  /** Takes one of the possible steps, chosen at random; false if no step is possible. */
  step(random: Random): boolean
}

/** Creates a network. The bus has to listen before a client connects. */
export function createNetwork(): Network {
  const connections = new Set<SimulatedConnection>()
  let handler: BusHandler
  let sendBufferHardLimit = 0
  let watch: SendBufferWatch<SimulatedConnection>

  const publish = (topic: string, text: string, except?: SimulatedConnection): boolean => {
    const subscribers = [...connections].filter((one) => one !== except && one.topics.has(topic))
    const isInTime = subscribers.map((one) => one.push(text)).every((hasRoom) => hasRoom)
    if (!isInTime) watch.late(text, subscribers.length)
    return isInTime
  }

  return {
    createBusPort({ sendBufferBytes }, { clock, metrics }) {
      sendBufferHardLimit = sendBufferBytes
      return {
        listen(busHandler) {
          handler = busHandler
          watch = new SendBufferWatch({
            clock,
            limits: handler.bufferLimits,
            connections: () => connections,
            bytesOf: (connection) => connection.bufferedBytes,
            sent: () => metrics.bytesOut,
            report: (bytes, full) =>
              handler.buffered(
                bytes,
                full.map(({ inbound }) => inbound),
              ),
          })
        },
        url: 'ws://simulated/',
        port: 0,
        get connections() {
          return connections.size
        },
        publish,
        look: () => watch.tick(),
        queueBytes: () => 0,
        renew: () => {},
        close: async () => {},
      }
    },
    connect(options) {
      const connection = new SimulatedConnection(options, { handler, sendBufferHardLimit, connections, publish })
      connection.open()
      return connection
    },
    step(random) {
      const possible = [...connections].flatMap((connection) => connection.steps())
      if (possible.length === 0) return false
      random.pick(possible)(random)
      return true
    },
  }
}
