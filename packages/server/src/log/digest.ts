/**
 * Digests for the recognition of messages that are sent again. Two 64-bit digests represent one message: who sent which
 * id where, and what was in it. A false "the same" needs both to collide. Nobody outside knows the seed, so nobody can
 * look for collisions.
 */
import type { ParsedEnvelope } from '@arqonbus/protocol'
import { contentKeys } from './message-identity.ts'

/** What a digest begins with: two numbers of 32 bits. */
export type Seed = Int32Array

/** A seed that nobody knows. */
export const newSeed = (): Seed => crypto.getRandomValues(new Int32Array(2))

/**
 * A digest under way. Its state is in two fields, so that nothing is allotted for each message. They hold signed
 * numbers of 32 bits, with which the runtime computes at once: unsigned ones are fractions to it as often as not.
 */
export class Digest {
  low = 0
  high = 0
  readonly #seed: Seed

  constructor(seed: Seed) {
    this.#seed = seed
  }

  /** Begins anew. */
  start(): this {
    return this.resume(this.#seed[0]!, this.#seed[1]!)
  }

  /** Goes on from where a digest was: what many begin with is taken in once. */
  resume(low: number, high: number): this {
    this.low = low
    this.high = high
    return this
  }

  /**
   * Takes a text in, two characters a step, in two lanes that do not wait for each other (the lanes of cyrb53, public
   * domain).
   */
  add(text: string): this {
    const { length } = text
    // The length comes first, so that the border between two texts is part of the digest.
    let low = Math.imul(this.low ^ length, 0x9e3779b1)
    let high = Math.imul(this.high ^ length, 0x5f356495)
    let i = 0
    for (; i + 1 < length; i += 2) {
      const pair = text.charCodeAt(i) | (text.charCodeAt(i + 1) << 16)
      low = Math.imul(low ^ pair, 0x9e3779b1)
      high = Math.imul(high ^ pair, 0x5f356495)
      low ^= low >>> 15
      high ^= high >>> 13
    }
    if (i < length) {
      low = Math.imul(low ^ text.charCodeAt(i), 0x9e3779b1)
      high = Math.imul(high ^ text.charCodeAt(i), 0x5f356495)
    }
    this.low = low
    this.high = high
    return this
  }

  /** Mixes to the end: every bit of what came in reaches every bit of both halves. */
  finish(): this {
    const low = mix(this.low ^ (this.high >>> 13))
    this.high = mix(this.high ^ (low >>> 11))
    this.low = low
    return this
  }
}

/** The finalizer of MurmurHash3 (public domain). */
function mix(value: number): number {
  let mixed = value
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return mixed ^ (mixed >>> 16)
}

/** The digests of the contents of messages: type, payload as written, and the metadata that says what it is. */
export class ContentDigests {
  readonly #digest: Digest
  #last: ParsedEnvelope | undefined

  constructor(seed: Seed) {
    this.#digest = new Digest(seed)
  }

  /**
   * That of one message, finished; it holds until the next is asked for. A private message goes into up to 33 logs, one
   * after the other, and is digested once.
   */
  of(envelope: ParsedEnvelope): Digest {
    if (envelope === this.#last) return this.#digest
    const { type, payloadText, metadata } = envelope
    const digest = this.#digest.start().add(type).add(payloadText)
    for (const key of contentKeys(metadata)) digest.add(key).add(JSON.stringify(metadata![key]))
    this.#last = envelope
    return digest.finish()
  }
}
