/** Numbers that only this process can read: what they count is not for those who pass them on. */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'

const ALGORITHM = 'aes-128-ecb'
const BLOCK = 16
const key = randomBytes(BLOCK)

/** Seals a whole number of up to six bytes: the rest of the block is zero, which shows that a text was sealed here. */
export function seal(number: number): string {
  const block = Buffer.alloc(BLOCK)
  block.writeUIntBE(number, BLOCK - 6, 6)
  return createCipheriv(ALGORITHM, key, null).setAutoPadding(false).update(block).toString('base64url')
}

/** The number in a text; undefined if it was not sealed by this process. */
export function unseal(text: string): number | undefined {
  const sealed = Buffer.from(text, 'base64url')
  if (sealed.length !== BLOCK || sealed.toString('base64url') !== text) return undefined
  const block = createDecipheriv(ALGORITHM, key, null).setAutoPadding(false).update(sealed)
  return block.subarray(0, BLOCK - 6).every((byte) => byte === 0) ? block.readUIntBE(BLOCK - 6, 6) : undefined
}
