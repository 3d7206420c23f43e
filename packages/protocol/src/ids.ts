/** Message ids: the prefix `arq_` and a UUIDv7 without dashes, so that ids sort by creation time (RFC 9562 §5.7). */

/** Fills an array with random bytes; `crypto.getRandomValues` has this shape. */
export type RandomBytes = (into: Uint8Array<ArrayBuffer>) => unknown

const hex = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))
const BYTES = 10

/** Random bytes from a pool: one system call for 400 ids. */
const pool = new Uint8Array(400 * BYTES)
let used = pool.length

function fromPool(into: Uint8Array): void {
  if (used === pool.length) {
    crypto.getRandomValues(pool)
    used = 0
  }
  into.set(pool.subarray(used, used + BYTES))
  used += BYTES
}

const bytes = new Uint8Array(BYTES)

/**
 * Creates a message id. `now` is in milliseconds since 1970; time and randomness can be passed in, so that a test is
 * repeatable.
 */
export function newId(now: number = Date.now(), random: RandomBytes = fromPool): string {
  random(bytes)
  let id = `arq_${Math.floor(now).toString(16).padStart(12, '0')}7${hex[bytes[0]!]![1]}${hex[bytes[1]!]}${hex[(bytes[2]! & 0x3f) | 0x80]}`
  for (let i = 3; i < BYTES; i++) id += hex[bytes[i]!]
  return id
}
