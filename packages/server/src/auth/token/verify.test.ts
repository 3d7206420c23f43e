/** Which tokens are accepted, and why all others are refused (docs/protocol.md#authentication, RFC 8725). */
import { describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { AUDIENCE, createIssuer, forgedTokens, SECRET } from '@arqonbus/testing/tokens'
import type { TokenAlgorithm } from '../../config/index.ts'
import { claimNamesOf, readTokenClaims } from './claims.ts'
import { fitting } from './key-set.ts'
import { RefusedToken } from './refused-token.ts'
import { keysOfPem, secretKey } from './static-keys.ts'
import { createVerifyToken, type VerifyDeps } from './verify.ts'

const issuer = await createIssuer()
const now = Date.parse('2026-12-01T12:00:00Z')
const keys = [secretKey(SECRET), ...keysOfPem(readFileSync(issuer.keysFile, 'utf8'))]

const limits = { tokenAudience: [AUDIENCE], tokenIssuer: [], tokenMaxLifeMs: 86_400_000, tokenLeewayMs: 5000 }
const verifier = (algorithms: readonly TokenAlgorithm[], other: Partial<VerifyDeps['limits']> = {}) =>
  createVerifyToken({
    limits: { ...limits, ...other },
    algorithms,
    clock: { now: () => now },
    keysFor: (hint) => fitting(keys, hint),
  })
const verify = verifier(['RS256', 'ES256', 'EdDSA'])
const reasonOf = async (token: string, by = verify): Promise<string> => {
  try {
    readTokenClaims(await by(token), new Map())
    return 'accepted'
  } catch (problem) {
    if (problem instanceof RefusedToken) return problem.reason
    throw problem
  }
}

describe('a token is accepted', () => {
  for (const alg of ['RS256', 'ES256', 'EdDSA'])
    test(`that is signed with ${alg}`, async () => {
      expect(await verify(await issuer.token('ada', { alg, now }))).toMatchObject({ sub: 'ada' })
    })
  test('that is signed with HS256, where that is configured', async () => {
    const token = await issuer.token('ada', { alg: 'HS256', now })
    expect(await reasonOf(token, verifier(['HS256']))).toBe('accepted')
    expect(await reasonOf(token)).toBe('algorithm')
  })
  test('of each type, in whatever case', async () => {
    for (const typ of ['JWT', 'jwt', 'at+jwt', 'application/at+jwt'])
      expect(await reasonOf(await issuer.token('ada', { now, header: { typ } }))).toBe('accepted')
  })
  test('for several audiences, one of which is ours', async () => {
    expect(await reasonOf(await issuer.token('ada', { now, claims: { aud: ['a', AUDIENCE] } }))).toBe('accepted')
  })
  test('within the leeway of the clocks, and no later', async () => {
    const ended = (ms: number) => issuer.token('ada', { now: now - ms, life: 60 })
    expect(await reasonOf(await ended(64_000))).toBe('accepted')
    expect(await reasonOf(await ended(66_000))).toBe('expired')
    const early = (seconds: number) => issuer.token('ada', { now: now + seconds * 1000 })
    expect(await reasonOf(await early(5))).toBe('accepted')
    expect(await reasonOf(await early(6))).toBe('not_yet')
  })
  test('of the configured issuer only', async () => {
    const ofIssuer = verifier(['ES256'], { tokenIssuer: ['https://id.example.org'] })
    const token = (iss?: string) => issuer.token('ada', { now, claims: { iss } })
    expect(await reasonOf(await token('https://id.example.org'), ofIssuer)).toBe('accepted')
    expect(await reasonOf(await token('https://evil.example.org'), ofIssuer)).toBe('issuer')
    expect(await reasonOf(await token(), ofIssuer)).toBe('issuer')
  })
  test('of any of several keys of its algorithm', async () => {
    const other = await createIssuer()
    const both = createVerifyToken({
      limits,
      algorithms: ['ES256'],
      clock: { now: () => now },
      keysFor: (hint) => fitting([...keysOfPem(readFileSync(other.keysFile, 'utf8')), ...keys], hint),
    })
    expect(await reasonOf(await issuer.token('ada', { now }), both)).toBe('accepted')
    expect(await reasonOf(await other.token('ada', { now }), both)).toBe('accepted')
  })
})

describe('a forged token is refused', async () => {
  for (const { name, token, reason } of await forgedTokens(issuer, now))
    test(name, async () => expect(await reasonOf(token)).toBe(reason))
})

describe('claims', () => {
  const read = (claims: Record<string, unknown>, names: readonly string[] = []) =>
    readTokenClaims(claims, claimNamesOf(names))

  test('without any of ours a client is a person that acts for itself', () => {
    expect(read({ sub: 'ada' })).toMatchObject({
      subject: 'ada',
      onBehalfOf: undefined,
      clientId: undefined,
      profile: { clientType: 'human' },
      role: undefined,
    })
  })
  test('an actor is the client, and its principal is named beside it', () => {
    expect(read({ sub: 'ada', act: { sub: 'bot-7' } })).toMatchObject({ subject: 'bot-7', onBehalfOf: 'ada' })
  })
  test('names can be mapped: of the subject, of ours as a whole, and of single ones beside it', () => {
    const names = ['sub=uid', 'arqonbus=https://example.org/bus', 'role=https://example.org/role']
    const claims = {
      uid: 'ada',
      'https://example.org/bus': { client_type: 'service', role: 'user' },
      'https://example.org/role': 'admin',
    }
    expect(read(claims, names)).toMatchObject({ subject: 'ada', profile: { clientType: 'service' }, role: 'admin' })
  })
  test('a claim of the prototype is none', () => {
    expect(() => read({}, ['sub=constructor'])).toThrow(RefusedToken)
  })
})
