/**
 * Forged tokens, for the issuer that a bus trusts: none of them may be accepted. Each is named for the attack, with the
 * section of RFC 8725 that it is about, and the reason for which it is refused.
 */
import { createHmac } from 'node:crypto'
import { exportJWK, exportSPKI, generateKeyPair, UnsecuredJWT } from 'jose'
import { AUDIENCE, type Issuer } from './issuer.ts'

/** One of them. */
export type ForgedToken = { readonly name: string; readonly token: string; readonly reason: string }

const base64 = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')

const parts = (token: string) => token.split('.') as [string, string, string]

/** All of them, at a time in milliseconds. The bus accepts RS256, ES256 and EdDSA, and this issuer alone. */
export async function forgedTokens(issuer: Issuer, now = Date.now()): Promise<ForgedToken[]> {
  const at = { now }
  const seconds = Math.floor(now / 1000)
  const good = await issuer.token('ada', at)
  const [header, payload, signature] = parts(good)
  const stranger = await generateKeyPair('ES256', { extractable: true })
  const ownJwk = await exportJWK(stranger.publicKey)
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<string, unknown>
  /** Signs anything with HMAC: what no library would sign. */
  const hmac = (head: object, body: unknown, secret: string) => {
    const text = `${base64(head)}.${base64(body)}`
    return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`
  }
  const pem = await exportSPKI(issuer.pairs.RS256.publicKey)
  const withHeader = (extra: Record<string, unknown>) => issuer.token('ada', { ...at, header: extra })
  const withClaims = (extra: Record<string, unknown>) => issuer.token('ada', { ...at, claims: extra })
  const without = async (name: string) => withClaims({ [name]: undefined })
  const table: readonly [name: string, reason: string, token: string | Promise<string>][] = [
    ['§2.1, §3.1: without a signature, as `alg: none`', 'malformed', new UnsecuredJWT(claims).encode()],
    [
      '§3.1: `alg: none` with the signature of another',
      'algorithm',
      `${base64({ alg: 'none', typ: 'JWT' })}.${payload}.${signature}`,
    ],
    [
      '§3.1: `alg: None` in another case',
      'algorithm',
      `${base64({ alg: 'NonE', typ: 'JWT' })}.${payload}.${signature}`,
    ],
    ['§2.1: the public RSA key as a secret of HS256', 'algorithm', hmac({ alg: 'HS256', typ: 'JWT' }, claims, pem)],
    ['§2.1: an empty secret', 'algorithm', hmac({ alg: 'HS256', typ: 'JWT' }, claims, '')],
    ['§3.1: ES256 in the header of a signature by RSA', 'signature', swapHeader(issuer, 'RS256', 'ES256', at)],
    [
      '§3.1: RS256 in the header of a signature by an elliptic curve',
      'signature',
      swapHeader(issuer, 'ES256', 'RS256', at),
    ],
    [
      '§3.2: an algorithm that is not configured',
      'algorithm',
      `${base64({ alg: 'RS1', typ: 'JWT' })}.${payload}.${signature}`,
    ],
    [
      '§3.2: an algorithm that is no text',
      'algorithm',
      `${base64({ alg: ['ES256'], typ: 'JWT' })}.${payload}.${signature}`,
    ],
    ['§2.2: a key of nobody', 'signature', issuer.token('ada', { ...at, key: stranger.privateKey })],
    [
      '§3.1: its own key in the header (`jwk`)',
      'header',
      issuer.token('ada', { ...at, key: stranger.privateKey, header: { jwk: ownJwk } }),
    ],
    ['§3.10: a link to its own key (`jku`)', 'header', withHeader({ jku: 'https://evil.example/jwks.json' })],
    ['§3.10: a link to its own certificate (`x5u`)', 'header', withHeader({ x5u: 'https://evil.example/cert.pem' })],
    ['§3.1: its own certificate (`x5c`)', 'header', withHeader({ x5c: ['MIIB'] })],
    ['an extension that must be understood (`crit`)', 'header', critical(issuer, at)],
    ['§2.4, §3.6: compressed', 'header', withHeader({ zip: 'DEF' })],
    ['§3.10: a `kid` that is no text', 'header', withHeader({ kid: { '../../etc/passwd': 1 } })],
    ['§3.10: a `kid` that is far too long', 'header', withHeader({ kid: 'k'.repeat(300) })],
    ['§2.3, §2.5: encrypted, with five parts', 'malformed', 'eyJhbGciOiJkaXIifQ..aXY.Y2lwaGVy.dGFn'],
    ['§3.11: another type', 'type', withHeader({ typ: 'secevent+jwt' })],
    ['§3.11: no type', 'type', withHeader({ typ: undefined })],
    ['§3.3: a payload that was changed', 'signature', `${header}.${base64({ ...claims, sub: 'eve' })}.${signature}`],
    [
      '§3.3: a header that was changed',
      'signature',
      `${base64({ alg: 'ES256', typ: 'JWT', kid: 'x' })}.${payload}.${signature}`,
    ],
    [
      '§3.3: the signature of another token',
      'signature',
      issuer.token('eve', at).then((other) => `${header}.${payload}.${parts(other)[2]}`),
    ],
    ['§3.3: a signature that was cut', 'signature', `${header}.${payload}.${signature.slice(0, 20)}`],
    ['§3.4: a signature of zeros', 'signature', `${header}.${payload}.${Buffer.alloc(64).toString('base64url')}`],
    ['no signature', 'malformed', `${header}.${payload}.`],
    ['§3.7: a payload that is not JSON', 'malformed', rawPayload(issuer, 'no json')],
    ['§3.7: a payload that is a list', 'malformed', rawPayload(issuer, '[]')],
    ['a header that is not JSON', 'malformed', `${base64('no json')}.${payload}.${signature}`],
    ['base64 with padding', 'malformed', `${header}=.${payload}.${signature}`],
    ['base64 of the wrong alphabet', 'malformed', `${header}.${payload}.${signature.slice(0, -1)}+`],
    ['white space', 'malformed', ` ${good}`],
    ['more than 4 KiB', 'too_long', withClaims({ filler: 'x'.repeat(4000) })],
    ['§3.8: another issuer’s audience', 'audience', withClaims({ aud: 'other.example.org' })],
    ['§3.9: no audience', 'audience', without('aud')],
    ['§3.9: an audience that only begins alike', 'audience', withClaims({ aud: `${AUDIENCE}.evil.example` })],
    ['§3.9: audiences of others', 'audience', withClaims({ aud: ['a', 'b'] })],
    ['expired', 'expired', issuer.token('ada', { ...at, now: now - 7_200_000 })],
    ['no end', 'claims', without('exp')],
    ['no beginning', 'claims', without('iat')],
    ['an end that is no number', 'claims', withClaims({ exp: String(seconds + 60) as unknown as number })],
    ['a life that is too long', 'life', withClaims({ exp: seconds + 10 * 86_400 })],
    ['an end before its beginning', 'expired', withClaims({ exp: seconds - 60 })],
    ['issued in the future', 'not_yet', withClaims({ iat: seconds + 600, exp: seconds + 900 })],
    ['not valid yet', 'not_yet', withClaims({ nbf: seconds + 600 })],
    ['no subject', 'claims', without('sub')],
    ['a subject that is no text', 'claims', withClaims({ sub: 7 as unknown as string })],
    ['an actor without a subject', 'claims', withClaims({ act: {} })],
    ['a client type that does not exist', 'claims', withClaims({ arqonbus: { client_type: 'root' } })],
    ['a client id that is none', 'claims', withClaims({ arqonbus: { client_id: 'a b' } })],
    ['the client id of the bus', 'claims', withClaims({ arqonbus: { client_id: 'arqonbus' } })],
    ['a claim of ours that does not exist', 'claims', withClaims({ arqonbus: { permission: {} } })],
    ['grants that are none', 'claims', withClaims({ arqonbus: { permissions: { 'a:b': ['everything'] } } })],
    ['a template in its grants', 'claims', withClaims({ arqonbus: { permissions: { '{sub}:*': ['join'] } } })],
    ['a denial that cannot be read', 'claims', withClaims({ arqonbus: { permissions: {}, deny: 'all' } })],
    ['a role that is no name', 'claims', withClaims({ arqonbus: { role: ['admin'] } })],
    ['limits that are none', 'claims', withClaims({ arqonbus: { limits: { connections: -1 } } })],
  ]
  return Promise.all(table.map(async ([name, reason, token]) => ({ name, reason, token: await token })))
}

/** The signature by one algorithm under the header of another. */
async function swapHeader(issuer: Issuer, signed: string, named: string, at: { now: number }): Promise<string> {
  const [, payload, signature] = parts(await issuer.token('ada', { ...at, alg: signed }))
  return `${base64({ alg: named, typ: 'JWT' })}.${payload}.${signature}`
}

async function critical(issuer: Issuer, at: { now: number }): Promise<string> {
  const [, payload, signature] = parts(await issuer.token('ada', at))
  return `${base64({ alg: 'ES256', typ: 'JWT', crit: ['own'], own: true })}.${payload}.${signature}`
}

/** Signed by the issuer, whatever it is. */
async function rawPayload({ pairs }: Issuer, text: string): Promise<string> {
  const { CompactSign } = await import('jose')
  return new CompactSign(new TextEncoder().encode(text))
    .setProtectedHeader({ alg: 'ES256', typ: 'JWT' })
    .sign(pairs.ES256.privateKey)
}
