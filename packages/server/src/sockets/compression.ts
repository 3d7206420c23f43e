/**
 * Compression of messages (permessage-deflate, RFC 7692). One compressor and one decompressor serve all connections:
 * neither side keeps anything of a message for the next one, so a connection needs no memory of its own, and nobody can
 * find out another one's words by the length of their own (as with a context that several messages share).
 */

/** Shorter texts hardly shrink. */
const LEAST_CHARACTERS = 1024

/** Whether a text is sent compressed, where its connection takes that. */
export type IsCompressed = (text: string) => boolean

/** Creates the rule of a port. */
export const createIsCompressed = (isOn: boolean): IsCompressed =>
  isOn ? (text) => text.length >= LEAST_CHARACTERS : () => false

/** What the runtime is told: `shared` is without a context that outlives a message, on both sides. */
export const perMessageDeflate = (isOn: boolean) => isOn && ({ compress: 'shared', decompress: 'shared' } as const)
