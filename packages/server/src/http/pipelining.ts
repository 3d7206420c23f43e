/**
 * Pipelining: requests that a connection sends without waiting for answers. The runtime hands out all that have arrived
 * in one turn of the loop, up to 512 KiB of them, so one packet could hold up everybody for seconds.
 */

/**
 * Takes a request of a connection; true for the last one that is answered on it: what is behind it is dropped with the
 * connection.
 */
type Pipelining = (connection: string) => boolean

/**
 * Creates the check of pipelined requests: the request number `most` that a connection has sent within one turn of the
 * loop is its last.
 */
export function createPipelining(most: number): Pipelining {
  const counts = new Map<string, number>()
  const clear = () => counts.clear()
  return (connection) => {
    if (counts.size === 0) setImmediate(clear)
    const count = (counts.get(connection) ?? 0) + 1
    counts.set(connection, count)
    return count >= most
  }
}
