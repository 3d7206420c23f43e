/** The best practices for JSON Web Tokens (RFC 8725), a test for each section (docs/security/standards.md#rfc-8725). */
import { afterAll, describe, expect, test } from 'bun:test'
import { createHmac, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadConfig } from '@arqonbus/server/config'
import { open, startBus } from '@arqonbus/testing'
import { AUDIENCE, es256, hs256, ISSUER, mint, rs256, type TokenParts } from './support/tokens.ts'

const folder = mkdtempSync(join(tmpdir(), 'arqonbus-jwt-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const other = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const pemOf = (key: KeyObject) => String(key.export({ type: 'spki', format: 'pem' }))
const pems = pemOf(rsa.publicKey) + pemOf(ec.publicKey)
const keyFile = join(folder, 'keys.pem')
writeFileSync(keyFile, pems)

const SECRET = 'a secret of this test, long enough for HS256'
const settings = {
  auth: 'token',
  tokenAudience: [AUDIENCE],
  tokenIssuer: [ISSUER],
  authFailureRate: null,
} as const
/** Verifies with a secret that it shares with the issuer. */
const shared = await startBus({ ...settings, tokenSecret: SECRET })
/** Verifies with public keys. */
const keyed = await startBus({ ...settings, tokenKeys: keyFile })

type Bus = typeof shared

/** What becomes of a connection with a token: `accepted`, or the code and the reason of its refusal. */
async function outcomeOf(bus: Bus, token: string): Promise<string> {
  const opened = open(bus.busUrl, { protocols: ['arqonbus.v1', `arqonbus.token.${token}`] })
  const { payload } = await opened.next()
  opened.socket.close()
  await opened.closed
  if (payload.event === 'welcome') return 'accepted'
  const { code, details } = payload.error as { code: string; details?: { reason?: string } }
  return details?.reason === undefined ? code : `${code} ${details.reason}`
}

const good = (parts: TokenParts = {}) => mint({ sign: hs256(SECRET), ...parts })
const byRsa = (parts: TokenParts = {}) =>
  mint({ sign: rs256(rsa.privateKey), ...parts, header: { alg: 'RS256', ...parts.header } })
const byEc = (parts: TokenParts = {}) =>
  mint({ sign: es256(ec.privateKey), ...parts, header: { alg: 'ES256', ...parts.header } })

const refused = /^(?:unauthenticated|invalid_parameters)\b/

/** Expects all of these tokens to be refused, and a good one after them to be accepted. */
async function expectRefused(bus: Bus, tokens: readonly string[]): Promise<void> {
  for (const token of tokens)
    expect([token, await outcomeOf(bus, token)]).toEqual([token, expect.stringMatching(refused)])
  expect(await outcomeOf(bus, bus === shared ? good() : byEc())).toBe('accepted')
}

describe('RFC 8725', () => {
  test('§3.1 a token does not choose its algorithm: each key has one, and no public key is a secret', async () => {
    const asSecret = (secret: string) => mint({ sign: hs256(secret) })
    await expectRefused(keyed, [
      asSecret(pemOf(rsa.publicKey)),
      asSecret(pemOf(rsa.publicKey).trim()),
      asSecret(pemOf(ec.publicKey)),
      asSecret(pems),
      asSecret(''),
      byRsa({ header: { alg: 'ES256' } }),
      byRsa({ header: { alg: 'PS256' } }),
      byRsa({ header: { alg: 'HS256' } }),
      byEc({ header: { alg: 'RS256' } }),
    ])
    await expectRefused(shared, [byRsa(), byEc(), byRsa({ header: { alg: 'HS256' } })])
    expect(await outcomeOf(keyed, byRsa())).toBe('accepted')
  })

  test('§3.2 tokens without a signature, and of algorithms that are weak or unknown, are refused', async () => {
    const algorithms = [
      'none',
      'None',
      'NONE',
      'nOnE',
      '',
      ' ',
      'HS1',
      'RS1',
      'HS256 ',
      'hs256',
      'dir',
      'RSA1_5',
      'HS512',
    ]
    const unsigned = algorithms.flatMap((alg) => [
      mint({ header: { alg } }),
      good({ header: { alg } }),
      mint({ header: { alg } }).slice(0, -1),
    ])
    await expectRefused(shared, [
      ...unsigned,
      mint({ header: { alg: 'HS512' }, sign: (input) => createHmac('sha512', SECRET).update(input).digest() }),
      ...[null, 1, true, [], ['HS256'], { name: 'HS256' }, undefined].map((alg) => good({ header: { alg } })),
    ])
  })

  test('§3.3 every byte that is signed is verified: changed, cut and nested tokens are refused', async () => {
    const token = good()
    const [head, body, signature] = token.split('.') as [string, string, string]
    const flipped = Array.from({ length: signature.length - 1 }, (_, at) => {
      const char = signature[at] === 'A' ? 'B' : 'A'
      return `${head}.${body}.${signature.slice(0, at)}${char}${signature.slice(at + 1)}`
    })
    const claims = (more: object) =>
      part(JSON.stringify({ ...JSON.parse(Buffer.from(body, 'base64url').toString()), ...more }))
    await expectRefused(shared, [
      ...flipped,
      `${head}.${claims({ sub: 'root' })}.${signature}`,
      `${part('{"alg":"HS256","typ":"JWT","kid":"x"}')}.${body}.${signature}`,
      `${head}.${body}.`,
      `${head}.${body}`,
      `${head}..${signature}`,
      `.${body}.${signature}`,
      `${token}.${signature}`,
      `${head}.${body}.${signature}AAAA`,
      `${head}.${body}.${signature.slice(4)}`,
      mint({ sign: hs256(`${SECRET}x`) }),
      good({ header: { cty: 'JWT' }, claimsText: good() }),
    ])
  })

  test('§3.4 signatures whose numbers are out of range are refused', async () => {
    const numbers = (r: string, s: string) => Buffer.from(r + s, 'hex')
    const zero = '00'.repeat(32)
    const order = 'ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551'
    await expectRefused(keyed, [
      ...[
        numbers(zero, zero),
        numbers(order, order),
        numbers(zero, order),
        numbers(order, zero),
        numbers(zero, ''),
      ].map((signature) => byEc({ sign: () => signature })),
      byEc({ sign: (input) => Buffer.concat([es256(ec.privateKey)(input), Buffer.from([0])]) }),
      byEc({ sign: es256(other.privateKey) }),
      ...[Buffer.alloc(256), Buffer.alloc(256, 0xff), Buffer.alloc(0), Buffer.from([1])].map((signature) =>
        byRsa({ sign: () => signature }),
      ),
    ])
  })

  test('§3.5 a secret that can be guessed, and a key that can be factored, stop the start', async () => {
    const env = { ARQONBUS_AUTH: 'token', ARQONBUS_TOKEN_AUDIENCE: AUDIENCE }
    const mistakesOf = (ARQONBUS_TOKEN_SECRET: string) =>
      loadConfig({ env: { ...env, ARQONBUS_TOKEN_SECRET }, flags: {}, readFile: () => '' }).mistakes
    for (const secret of ['secret', 'x'.repeat(31)])
      expect(mistakesOf(secret)).toContainEqual(expect.objectContaining({ option: 'ARQONBUS_TOKEN_SECRET' }))
    expect(mistakesOf('0123456789abcdef0123456789abcdef')).toBeUndefined()
    const weak = join(folder, 'weak.pem')
    writeFileSync(weak, pemOf(generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey))
    await expect(startBus({ ...settings, tokenKeys: weak })).rejects.toThrow('ARQONBUS_TOKEN_KEYS')
  })

  test('§3.6 encrypted and compressed tokens are refused, so that no length tells anything', async () => {
    const five = `${part('{"alg":"dir","enc":"A128GCM","zip":"DEF"}')}..${part('iv')}.${part('text')}.${part('tag')}`
    await expectRefused(shared, [
      five,
      good({ header: { zip: 'DEF' } }),
      good({ header: { enc: 'A128GCM' } }),
      good({ header: { alg: 'dir', enc: 'A128GCM' } }),
    ])
  })

  test('§3.7 claims and headers that are not UTF-8, or not JSON, are refused', async () => {
    const now = Math.floor(Date.now() / 1000)
    const claims = (sub: string) =>
      Buffer.from(`{"iss":"${ISSUER}","aud":"${AUDIENCE}","iat":${now},"exp":${now + 60},"sub":"${sub}"}`, 'latin1')
    const wrong = [claims('\xff'), claims('a\xc3'), claims('\xed\xa0\x80'), claims('a\u0001'), Buffer.from([0xff])]
    await expectRefused(shared, [
      ...wrong.map((claimsText) => good({ claimsText })),
      good({ claimsText: Buffer.from(`\ufeff{"sub":"ada"}`, 'utf16le') }),
      ...['', 'null', '[]', '"x"', '{', '{"sub":"ada"}x'].map((claimsText) => good({ claimsText })),
      ...['null', '[]', '{', '\xff'].map((headerText) => good({ headerText })),
    ])
  })

  test('§3.8 the issuer is one of the configured ones, and there is a subject', async () => {
    const issuers = [
      'https://evil.example',
      `${ISSUER}/`,
      ISSUER.toUpperCase(),
      '',
      undefined,
      null,
      [ISSUER],
      { a: 1 },
    ]
    const subjects = ['', undefined, null, 1, ['ada'], 'x'.repeat(256), 'a\nb']
    await expectRefused(shared, [
      ...issuers.map((iss) => good({ claims: { iss } })),
      ...subjects.map((sub) => good({ claims: { sub } })),
    ])
  })

  test('§3.9 the audience is this bus', async () => {
    const audiences = [
      'another',
      '',
      undefined,
      null,
      [],
      ['another'],
      [[AUDIENCE]],
      { 0: AUDIENCE },
      `${AUDIENCE} `,
      1,
    ]
    await expectRefused(
      shared,
      audiences.map((aud) => good({ claims: { aud } })),
    )
    expect(await outcomeOf(shared, good({ claims: { aud: ['another', AUDIENCE] } }))).toBe('accepted')
  })

  test('§3.10 nothing that a token says leads the server to another key, file, table or address', async () => {
    let asked = 0
    const keys = Bun.serve({
      hostname: '127.0.0.1',
      port: 0,
      fetch: () => {
        asked++
        return Response.json({ keys: [other.publicKey.export({ format: 'jwk' })] })
      },
    })
    const url = String(keys.url)
    const jwk = other.publicKey.export({ format: 'jwk' })
    const byOther = (header: Record<string, unknown>) => byEc({ header, sign: es256(other.privateKey) })
    await expectRefused(keyed, [
      ...[{ jku: url }, { x5u: url }, { jwk }, { x5c: ['MIIB'] }, { jwk, kid: 'x' }, { jku: url, kid: 'x' }].map(
        byOther,
      ),
      ...['../../../../dev/null', "x' OR '1'='1", url, '', '__proto__', 'constructor', 'x'.repeat(1000)].map((kid) =>
        byOther({ kid }),
      ),
      ...[{ crit: ['exp'], exp: 1 }, { b64: false, crit: ['b64'] }, { kid: 1 }, { kid: { x: 1 } }].map(byOther),
    ])
    expect(asked).toBe(0)
    await keys.stop(true)
  })

  test('§3.11 a token says that it is one for access', async () => {
    const types = [undefined, null, '', 'JWE', 'id+jwt', 'secevent+jwt', 'dpop+jwt', 'logout+jwt', 'jwt ', 1, ['JWT']]
    await expectRefused(
      shared,
      types.map((typ) => good({ header: { typ } })),
    )
    for (const typ of ['JWT', 'at+jwt']) expect(await outcomeOf(shared, good({ header: { typ } }))).toBe('accepted')
  })

  test('§3.12 what proves something else is no token, and a token proves nothing else', async () => {
    const opened = open(shared.busUrl, { protocols: ['arqonbus.v1', `arqonbus.token.${good()}`] })
    const { payload } = await opened.next()
    const session = String(payload.session)
    opened.socket.close()
    await opened.closed
    await expectRefused(shared, [session, `${part(session)}.${part(session)}.${part(session)}`])
    const asSession = open(shared.busUrl, { headers: { 'Arqonbus-Session': good() } })
    asSession.socket.addEventListener('open', () => asSession.socket.close())
    await asSession.closed
    expect(asSession.frames.map((frame) => frame.payload.event)).not.toContain('welcome')
  })

  test('every port verifies tokens alike', async () => {
    const now = Math.floor(Date.now() / 1000)
    const wrong = [
      mint({ header: { alg: 'none' } }),
      mint({ sign: hs256('another secret, also long enough for it') }),
      good({ claims: { aud: 'another' } }),
      good({ claims: { iss: 'https://evil.example' } }),
      good({ header: { jku: 'http://127.0.0.1:1/' } }),
      good({ claims: { exp: now - 60, iat: now - 120 } }),
      'no token',
      '',
    ]
    for (const token of wrong) {
      const authorization = `Bearer ${token}`
      const { status } = await fetch(`${shared.httpUrl}/api/v1/status`, { headers: { authorization } })
      expect([token, [400, 401].includes(status)]).toEqual([token, true])
      const subscriber = open(shared.telemetryUrl!, { headers: { authorization } })
      expect([token, [4400, 4401].includes((await subscriber.closed).code)]).toEqual([token, true])
    }
    const authorization = `Bearer ${good()}`
    expect((await fetch(`${shared.httpUrl}/api/v1/commands`, { headers: { authorization } })).status).not.toBe(401)
  })

  test('a token has a beginning and an end, and lives no longer than the setting says', async () => {
    const now = Math.floor(Date.now() / 1000)
    expect(await outcomeOf(shared, good({ claims: { iat: now - 600, exp: now - 300 } }))).toBe('token_expired')
    await expectRefused(shared, [
      ...[undefined, null, '', '9999999999', {}, [now + 60]].map((exp) => good({ claims: { exp } })),
      ...[undefined, null, 'x', now + 3600].map((iat) => good({ claims: { iat } })),
      good({ claims: { nbf: now + 3600 } }),
      good({ claims: { exp: now + 10 * 86_400 } }),
      good({ claims: { exp: 1e300 } }),
      good({ claims: { iat: now + 1, exp: now } }),
    ])
  })
})

function part(text: string): string {
  return Buffer.from(text).toString('base64url')
}
