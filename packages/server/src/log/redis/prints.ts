/**
 * What is remembered of a message in Redis, so that one that is sent again is recognised, by whichever node: a print of who sent which id, and one of its
 * content. They are digests, because an entry by full ids would take twice the memory. All nodes share the seed, which stands in Redis and nowhere else.
 */
import type { ReadEnvelope } from '@arqonbus/protocol'
import { addContent, Digest, newSeed, type Seed } from '../digest.ts'

/** The prints of one bus. */
export type Prints = {
  /** The seed, as it is kept in Redis. */
  readonly seed: string
  /** Who sent which id. */
  ofId(envelope: ReadEnvelope): string
  /** What it says: type, payload as written, and the metadata that says what it is. */
  ofContent(envelope: ReadEnvelope): string
}

/** Makes prints from a seed of this bus, or from a new one. */
export function createPrints(seed: Seed = newSeed()): Prints {
  const digest = new Digest(seed)
  return {
    seed: seed.join(' '),
    ofId: ({ from, id }) => textOf(digest.start().add(from).add(id).finish()),
    ofContent: (envelope) => textOf(addContent(digest.start(), envelope).finish()),
  }
}

/** Prints from the seed as it is kept in Redis. */
export const printsFrom = (seed: string): Prints => createPrints(Int32Array.from(seed.split(' '), Number))

const textOf = ({ low, high }: Digest): string => `${(low >>> 0).toString(36)}.${(high >>> 0).toString(36)}`
