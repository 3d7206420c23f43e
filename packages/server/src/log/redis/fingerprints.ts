/**
 * What is remembered of a message in Redis, so that one that is sent again is recognised, by whichever node: a print of
 * who sent which id, and one of its content. They are digests, because an entry by full ids would take twice the
 * memory. All nodes share the seed, which is kept in Redis and nowhere else.
 */
import type { ParsedEnvelope } from '@arqonbus/protocol'
import { ContentDigests, Digest, newSeed, type Seed } from '../digest.ts'

/** The prints of one bus. */
export type Fingerprints = ReturnType<typeof createFingerprints>

/** A print is two numbers of 32 bits, each in six characters of six bits, from '0' on. */
const CHARACTERS = 6
const FIRST_CHARACTER = 48

/** Makes prints from a seed of this bus, or from a new one. */
export function createFingerprints(seed: Seed = newSeed()) {
  const digest = new Digest(seed)
  const contents = new ContentDigests(seed)
  // Written here, both prints are one text; put together from parts they would be many.
  const characters = Buffer.alloc(4 * CHARACTERS)
  const write = (number: number, start: number) => {
    for (let i = start, rest = number; i < start + CHARACTERS; i++, rest >>>= 6) {
      characters[i] = FIRST_CHARACTER + (rest & 63)
    }
  }
  const writePrint = ({ low, high }: Digest, start: number) => {
    write(low, start)
    write(high, start + CHARACTERS)
  }
  return {
    /** The seed, as it is kept in Redis. */
    seed: seed.join(' '),
    /**
     * Both prints of a message in one text: the first half says who sent which id, the other half type, payload as
     * written, and the metadata that says what it is.
     */
    of(envelope: ParsedEnvelope): string {
      writePrint(digest.start().add(envelope.from).add(envelope.id).finish(), 0)
      writePrint(contents.of(envelope), 2 * CHARACTERS)
      return characters.toString('latin1')
    },
  }
}

/** Prints from the seed as it is kept in Redis. */
export const fingerprintsFrom = (seed: string): Fingerprints =>
  createFingerprints(Int32Array.from(seed.split(' '), Number))
