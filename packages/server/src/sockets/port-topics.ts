/**
 * Publishing to the sockets of a port. After a change of the certificate a port has several servers for a while, each
 * with the connections that it took, and each knows the subscribers of a topic among its own.
 */
import type { ServerWebSocket } from 'bun'
import type { IsCompressed } from './compression.ts'

/** What of a server of the runtime matters here. */
type Publisher = {
  publish(topic: string, text: string, isCompressed: boolean): number
  subscriberCount(topic: string): number
}

/** Some of so many subscribers of a topic did not take a text at once. */
type Late = (text: string, copies: number) => void

/** The topics of one port. */
export class Topics<Server extends Publisher> {
  readonly #late: Late
  readonly #isCompressed: IsCompressed
  #current: Server | undefined
  /** Servers that take no more connections, and still have some. */
  #earlier: readonly Server[] = []

  constructor(late: Late, isCompressed: IsCompressed) {
    this.#late = late
    this.#isCompressed = isCompressed
  }

  /** The server that takes connections from now on. */
  begin(server: Server): void {
    if (this.#current !== undefined) this.#earlier = [...this.#earlier, this.#current]
    this.#current = server
  }

  /** A server has no connections any more. */
  end(server: Server): void {
    this.#earlier = this.#earlier.filter((one) => one !== server)
  }

  /** Publishes to all subscribers. False where some socket could not take the text at once. */
  readonly publish = (topic: string, text: string): boolean => {
    const current = this.#current
    if (current === undefined) return true
    const isTaken = current.publish(topic, text, this.#isCompressed(text)) > 0
    if (this.#earlier.length === 0) return isTaken || this.#reportLate(topic, text)
    const isTakenByAll = this.#publishBeside(current, topic, text) && (isTaken || current.subscriberCount(topic) === 0)
    return isTakenByAll || this.#reportLate(topic, text)
  }

  /** Publishes to all subscribers but a socket, which is one of that server's. */
  publishToOthers(socket: ServerWebSocket<unknown>, own: Server, topic: string, text: string): boolean {
    const isTaken = socket.publishText(topic, text, this.#isCompressed(text)) > 0
    if (this.#earlier.length === 0) return isTaken || this.#reportLate(topic, text)
    const isTakenByAll = this.#publishBeside(own, topic, text) && (isTaken || own.subscriberCount(topic) <= 1)
    return isTakenByAll || this.#reportLate(topic, text)
  }

  /** Publishes to the subscribers of all servers but one. */
  #publishBeside(own: Server, topic: string, text: string): boolean {
    let isTaken = true
    for (const server of this.#all()) {
      if (server === own || server.subscriberCount(topic) === 0) continue
      if (server.publish(topic, text, this.#isCompressed(text)) <= 0) isTaken = false
    }
    return isTaken
  }

  #reportLate(topic: string, text: string): false {
    this.#late(
      text,
      this.#all().reduce((copies, server) => copies + server.subscriberCount(topic), 0),
    )
    return false
  }

  #all(): readonly Server[] {
    return [this.#current!, ...this.#earlier]
  }
}
