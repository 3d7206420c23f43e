import type { Connection } from './connection.ts'
import type { MessageFrames } from './message.ts'

/** A publisher of a load: its connection, and its progress. */
export interface Publisher {
  readonly index: number
  readonly connection: Connection
  readonly frames: MessageFrames
  sent: number
  /** Messages to send after the current read. */
  due: number
}

/** Creates publishers for the first `count` connections. */
export function createPublishers(
  connections: readonly Connection[],
  count: number,
  framesOf: (connection: Connection, index: number) => MessageFrames,
): Publisher[] {
  return connections.slice(0, count).map((connection, index) => {
    return { index, connection, frames: framesOf(connection, index), sent: 0, due: 0 }
  })
}
