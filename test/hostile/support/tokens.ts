/** Makes JSON Web Tokens by hand, right ones and wrong ones: a library would not make the latter. */
import { createHmac, createSign, type KeyObject, sign as signWith } from 'node:crypto'

/** What a token is made of; the defaults are those of a correct issuer. */
export type TokenParts = {
  header?: Record<string, unknown>
  claims?: Record<string, unknown>
  /** In place of the header and the claims as JSON. */
  headerText?: string | Uint8Array
  claimsText?: string | Uint8Array
  /** Makes the signature of `header.claims`. */
  sign?: (input: string) => string | Uint8Array
}

/** The issuer, and the audience that its tokens are for. */
export const ISSUER = 'https://issuer.example'
export const AUDIENCE = 'arqonbus'

const part = (value: string | Uint8Array): string => Buffer.from(value).toString('base64url')

/** Makes a token; the parts are encoded, and the signature is that of `sign`. */
export function mint({ header, claims, headerText, claimsText, sign = () => '' }: TokenParts): string {
  const now = Math.floor(Date.now() / 1000)
  const head = headerText ?? JSON.stringify({ alg: 'HS256', typ: 'JWT', ...header })
  const body =
    claimsText ??
    JSON.stringify({
      iss: ISSUER,
      aud: AUDIENCE,
      sub: 'ada',
      iat: now,
      exp: now + 300,
      ...claims,
    })
  const input = `${part(head)}.${part(body)}`
  return `${input}.${part(sign(input))}`
}

/** Signs as HS256 does, with any secret. */
export const hs256 = (secret: string | Uint8Array) => (input: string) =>
  createHmac('sha256', secret).update(input).digest()

/** Signs as RS256 does. */
export const rs256 = (key: KeyObject) => (input: string) => createSign('sha256').update(input).sign(key)

/** Signs as ES256 does. */
export const es256 = (key: KeyObject) => (input: string) =>
  signWith('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' })
