/** What the bus needs of a socket: bytes and nothing else. `sockets/` fulfils it. */

/** How the bytes of a connection move. */
export type Flow = {
  /** Bytes that have arrived, of whole frames or of parts; 0 where that is not known. */
  readonly received: number
  /** Grows when bytes that waited for the peer have left. */
  readonly left: number
  /** True while bytes wait for the peer, here or in the system. */
  readonly isWaiting: boolean
}

/** One connection. */
export type Transport = {
  /** Sends a text frame. What does not fit into the kernel's buffer is kept, and counted by `bufferedBytes`. */
  send(text: string): void
  /**
   * Sends a text frame behind what was published in this tick, with it in one write: an acknowledgement that follows a
   * delivery of the same tick costs no system call of its own.
   */
  sendBehindPublished(text: string): void
  /** Publishes to all that have subscribed to the topic but this one. */
  publishToOthers(topic: string, text: string): boolean
  subscribe(topic: string): void
  unsubscribe(topic: string): void
  /** Bytes that wait for the peer. */
  bufferedBytes(): number
  /** Stops reading from the peer: what it sends waits with it. Frames that were read already still come. */
  pause(): void
  readonly isPaused: boolean
  resume(): void
  ping(): void
  /** How its bytes move: costly, so only for one of which nothing is heard. */
  flow(): Flow
  /** Says goodbye: the close frame goes behind what waits. */
  close(code: number, reason: string): void
  /** Ends the connection at once. */
  terminate(): void
}

/**
 * Sends to all that have subscribed to a topic: encoded once, by the runtime. False where some socket could not take it
 * at once.
 */
export type PublishToTopic = (topic: string, text: string) => boolean
