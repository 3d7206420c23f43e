/** Secrets of sessions and keys: made, kept as hashes, compared in constant time. */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'

/** Characters of a secret, at its beginning, that all sessions share which continue each other: 132 bits. */
const SHARED = 22
const sharedPart = new RegExp(`^[A-Za-z0-9_-]{${SHARED}}`)

/**
 * A new secret, of the characters `[A-Za-z0-9_-]`. With the secret of a session that has ended, its client continues
 * that one: the two share their beginning, of which `holderOf` is made.
 */
export function newSecret(former?: string): string {
  const shared = former === undefined ? undefined : sharedPart.exec(former)?.[0]
  return (shared ?? randomBytes(SHARED).toString('base64url').slice(0, SHARED)) + randomBytes(24).toString('base64url')
}

/** What is kept of a secret. */
export const hashSecret = (secret: string): Buffer => createHash('sha256').update(secret).digest()

/** True when `secret` is the one that was hashed. */
export const isSecret = (secret: string, hash: Buffer): boolean => timingSafeEqual(hashSecret(secret), hash)

/**
 * Who holds a session, and those before it that it continues: what a client creates is kept under this, so that it is
 * not of whoever has its client id later. It tells nothing of the secret.
 */
export const holderOf = (secret: string): string =>
  createHash('sha256').update('holder ').update(secret.slice(0, SHARED)).digest('base64url').slice(0, 16)

/** Creates the function that recognises the key; without a key, it recognises nothing. */
export function createKeyCheck(key: string | undefined): (tried: string) => boolean {
  if (key === undefined) return () => false
  const hash = hashSecret(key)
  return (tried) => isSecret(tried, hash)
}
