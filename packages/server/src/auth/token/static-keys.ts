/** The keys of the settings: a secret, and a file of public keys. */
import { createPublicKey, type KeyObject } from 'node:crypto'
import type { TokenAlgorithm } from '../../config/index.ts'
import { exitCodes, StartError } from '../../kit/start-error.ts'
import { MOST_KEYS, type TokenKey } from './key-set.ts'

/** A shorter modulus can be factored (RFC 7518 §3.3). */
const MIN_RSA_BITS = 2048

/** The key of HS256. */
export const secretKey = (secret: string): TokenKey => ({
  algorithm: 'HS256',
  kid: undefined,
  key: new TextEncoder().encode(secret),
})

const refuse = (message: string): never => {
  throw new StartError(`ARQONBUS_TOKEN_KEYS ${message}`, exitCodes.configuration)
}

/** The blocks of a PEM text, each with its label. */
function* blocksOf(text: string): Iterable<{ readonly label: string; readonly pem: string }> {
  for (const part of text.split('-----BEGIN ').slice(1)) {
    const [label = ''] = part.split('-----', 1)
    const end = `-----END ${label}-----`
    const at = part.indexOf(end)
    if (at >= 0) yield { label, pem: `-----BEGIN ${part.slice(0, at)}${end}` }
  }
}

/** The public keys and certificates of a PEM text; a `StartError` where one of them cannot be used. */
export function keysOfPem(text: string): TokenKey[] {
  const keys = Array.from(blocksOf(text), ({ pem, label }) => {
    if (label.includes('PRIVATE'))
      refuse('has a private key: it needs public keys only, and the private one belongs to the issuer')
    let key: KeyObject
    try {
      key = createPublicKey(pem)
    } catch {
      return refuse(`has a block that cannot be read: ${label}`)
    }
    const algorithm = algorithmOf(key)
    return algorithm === undefined
      ? refuse(`has a key that cannot be used: RSA of at least ${MIN_RSA_BITS} bits, EC on P-256, or Ed25519`)
      : { algorithm, kid: undefined, key }
  })
  if (keys.length === 0) refuse('has no PEM block: `-----BEGIN PUBLIC KEY-----` begins one')
  if (keys.length > MOST_KEYS) refuse(`has ${keys.length} keys, more than ${MOST_KEYS}`)
  return keys
}

/** The algorithm that a public key is for; undefined for one that no token may be signed with. */
export function algorithmOf({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): TokenAlgorithm | undefined {
  const { modulusLength = 0, namedCurve } = asymmetricKeyDetails ?? {}
  if (asymmetricKeyType === 'rsa') return modulusLength >= MIN_RSA_BITS ? 'RS256' : undefined
  if (asymmetricKeyType === 'ec') return namedCurve === 'prime256v1' ? 'ES256' : undefined
  return asymmetricKeyType === 'ed25519' ? 'EdDSA' : undefined
}
