import type { Connection } from './connection.ts'
import type { MessageFrames } from './message.ts'

/** A publisher of a load: its connection, and how far it is. */
export interface Outlet {
  readonly index: number
  readonly connection: Connection
  readonly frames: MessageFrames
  sent: number
  /** Messages to send when the present read is done. */
  due: number
}

/** The first `count` connections as publishers that have sent nothing yet. */
export function outletsOf(
  connections: readonly Connection[],
  count: number,
  framesOf: (connection: Connection, index: number) => MessageFrames,
): Outlet[] {
  return connections.slice(0, count).map((connection, index) => {
    return { index, connection, frames: framesOf(connection, index), sent: 0, due: 0 }
  })
}
