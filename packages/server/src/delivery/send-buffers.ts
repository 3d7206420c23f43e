/**
 * The bound on all send buffers together.
 *
 * What waits for a peer is memory, and a socket that is full costs a system call for each message. So the limit at
 * which a connection leaves the live stream falls as the total grows: few slow readers may each have a long buffer, a
 * crowd of them short ones. What is closed when the bound itself is reached are the largest.
 */

/** The limits that hold now. */
export type SendBuffers = ReturnType<typeof createSendBuffers>

/** A connection that is behind is sent more only while fewer bytes than this wait for it. */
export const LOW_WATER_BYTES = 64 * 1024

/** Up to this share of the total nothing is different. */
const FREE_SHARE = 1 / 8
/** The limit of one connection never falls below this. */
export const LEAST_BYTES = 4 * 1024

/** Bounds what waits for all peers. */
export function createSendBuffers(totalBytes: number) {
  const freeBytes = totalBytes * FREE_SHARE
  let bytes = 0
  return {
    /** Adds something that has send buffers. The function that it gets sets what waits in them. */
    source(): (bytes: number) => void {
      let own = 0
      return (now) => {
        bytes += now - own
        own = now
      }
    },
    /** What waits, as it was measured last. */
    get bytes(): number {
      return bytes
    },
    /** Bytes at which one connection is slow, where they would be `most` without any pressure. */
    limit(most: number): number {
      if (bytes <= freeBytes) return most
      return Math.min(most, Math.max(LEAST_BYTES, most * (freeBytes / bytes) ** 2))
    },
    /** How much too much waits: above 0 the largest are closed. */
    get excess(): number {
      return bytes - totalBytes
    },
    /** So much may have been added at most when it is measured again. */
    unseenBytes: freeBytes / 2,
  }
}
