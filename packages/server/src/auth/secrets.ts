/** Secrets of sessions and keys: made, kept as hashes, compared in constant time. */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'

/** A new secret of 192 bits, of the characters `[A-Za-z0-9_-]`. */
export const newSecret = (): string => randomBytes(24).toString('base64url')

/** What is kept of a secret. */
export const hashSecret = (secret: string): Buffer => createHash('sha256').update(secret).digest()

/** True when `secret` is the one that was hashed. */
export const isSecret = (secret: string, hash: Buffer): boolean => timingSafeEqual(hashSecret(secret), hash)

/** Creates the function that recognises the key; without a key, it recognises nothing. */
export function createKeyCheck(key: string | undefined): (tried: string) => boolean {
  if (key === undefined) return () => false
  const hash = hashSecret(key)
  return (tried) => isSecret(tried, hash)
}
