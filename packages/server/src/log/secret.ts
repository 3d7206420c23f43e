/** The secret of a bus, from which names are derived that must not show what they are derived from. */

const BYTES = 32

/** A new one: 256 random bits as text. */
export const newSecret = (): string => Buffer.from(crypto.getRandomValues(new Uint8Array(BYTES))).toString('base64url')
