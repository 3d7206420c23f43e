/** Where keys come from: key sets, their rotation and outages, files and secrets (docs/protocol.md#keys). */
import { describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { startServer } from '@arqonbus/server'
import { loadConfig } from '@arqonbus/server/config'
import { startBus, testClock } from '@arqonbus/testing'
import { AUDIENCE, bearer, createIssuer, SECRET, serveJson } from '@arqonbus/testing/tokens'
import { exportSPKI } from 'jose'
import { runToEnd } from '../support/run-to-end.ts'
import { refusedWith } from './refused.ts'

const issuer = await createIssuer()
const rsaKey = await exportSPKI(issuer.pairs.RS256.publicKey)

describe('a key set', () => {
  /** A bus with a key set that the test changes. */
  async function withKeySet(first: unknown) {
    let [set, fetches] = [first, 0]
    const url = serveJson(() => {
      fetches++
      return set
    })
    const clock = testClock(Date.now())
    const bus = await startBus(
      { auth: 'token', tokenJwksUrl: url, tokenAudience: [AUDIENCE], authFailureRate: null },
      { clock },
    )
    const token = (kid: string | undefined, alg = 'ES256') =>
      issuer.token('ann', { now: clock.now(), alg, header: { kid } })
    const isAccepted = async (kid: string | undefined, alg?: string) => {
      const connected = await bus.connect({ headers: bearer(await token(kid, alg)) }).catch(() => undefined)
      await connected?.close()
      return connected !== undefined
    }
    const replace = (next: unknown) => {
      set = next
    }
    return { bus, clock, token, isAccepted, replace, fetches: () => fetches }
  }

  test('has keys of each algorithm, which tokens name by `kid`, or not at all', async () => {
    const { isAccepted, fetches } = await withKeySet(await issuer.keySet())
    for (const alg of ['RS256', 'ES256', 'EdDSA']) expect([alg, await isAccepted(alg, alg)]).toEqual([alg, true])
    expect(await isAccepted(undefined)).toBe(true)
    expect(await isAccepted('RS256', 'ES256')).toBe(false)
    expect(fetches()).toBe(1)
  })
  test('is fetched for an unknown `kid`, once in 30 seconds at most', async () => {
    const { isAccepted, replace, fetches, clock } = await withKeySet(await issuer.keySet(['ES256'], ['old']))
    for (let i = 0; i < 5; i++) expect(await isAccepted('new')).toBe(false)
    expect(fetches()).toBe(1)
    replace(await issuer.keySet(['ES256'], ['new']))
    clock.advance(30_000)
    expect(await isAccepted('new')).toBe(true)
    expect(await isAccepted('old')).toBe(false)
    expect(fetches()).toBe(2)
  })
  test('stays in force while it cannot be fetched', async () => {
    const { isAccepted, replace, clock, fetches } = await withKeySet(await issuer.keySet(['ES256'], ['good']))
    for (const broken of [
      new Response('', { status: 500 }),
      'no set',
      { keys: [] },
      { keys: [{ kty: 'oct', k: 'AAAA' }] },
    ]) {
      replace(broken)
      clock.advance(30_000)
      expect(await isAccepted('unknown')).toBe(false)
      expect(await isAccepted('good')).toBe(true)
    }
    expect(fetches()).toBe(5)
  })
  test('that could not be fetched yet refuses tokens temporarily', async () => {
    const { bus, token, replace, clock } = await withKeySet(new Response('', { status: 503 }))
    expect(await refusedWith(bus.busUrl, { headers: bearer(await token('k')) })).toMatchObject({
      code: 1013,
      error: { code: 'auth_unavailable' },
    })
    replace(await issuer.keySet(['ES256'], ['k']))
    clock.advance(30_000)
    expect((await bus.connect({ headers: bearer(await token('k')) })).id).toBe('ann')
  })
  test('with secrets and private keys is used without them', async () => {
    const { keys } = await issuer.keySet(['ES256', 'RS256'])
    const secret = { kty: 'oct', k: Buffer.from(SECRET).toString('base64url'), kid: 'h', alg: 'HS256' }
    const encryption = { ...keys[1], use: 'enc' }
    const { isAccepted } = await withKeySet({ keys: [secret, keys[0], encryption, 'no key', null] })
    expect(await isAccepted('ES256')).toBe(true)
    expect(await isAccepted('h', 'HS256')).toBe(false)
    expect(await isAccepted('RS256', 'RS256')).toBe(false)
  })
})

describe('the start is refused', () => {
  const shared = { ARQONBUS_AUTH: 'token', ARQONBUS_TOKEN_AUDIENCE: AUDIENCE }
  const privateKey = '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n'
  const cases: [what: string, settings: Record<string, string>, message: string][] = [
    ['keys', shared, 'token needs keys'],
    ['an audience', { ARQONBUS_AUTH: 'token', ARQONBUS_TOKEN_SECRET: SECRET }, 'TOKEN_AUDIENCE must be set'],
    ['a long secret', { ...shared, ARQONBUS_TOKEN_SECRET: 'x'.repeat(31) }, 'at least 32 bytes'],
    [
      'a secret for HS256',
      { ...shared, ARQONBUS_TOKEN_ALGORITHMS: 'HS256', ARQONBUS_TOKEN_KEYS: issuer.keysFile },
      'HS256 in TOKEN_ALGORITHMS needs TOKEN_SECRET',
    ],
    [
      'a key for ES256',
      { ...shared, ARQONBUS_TOKEN_ALGORITHMS: 'HS256,ES256', ARQONBUS_TOKEN_SECRET: SECRET },
      'ES256 in TOKEN_ALGORITHMS needs',
    ],
    [
      'a key of that algorithm',
      { ...shared, ARQONBUS_TOKEN_ALGORITHMS: 'ES256', ARQONBUS_TOKEN_KEYS: issuer.fileOf('rsa.pem', rsaKey) },
      'has ES256, and there is no key for it',
    ],
    [
      'public keys only',
      { ...shared, ARQONBUS_TOKEN_KEYS: issuer.fileOf('private.pem', privateKey) },
      'has a private key',
    ],
    ['a file with keys', { ...shared, ARQONBUS_TOKEN_KEYS: issuer.fileOf('none.pem', 'nothing') }, 'has no PEM block'],
    [
      'https for the key set',
      { ...shared, ARQONBUS_TOKEN_JWKS_URL: 'http://id.example.org/jwks' },
      'must be an https URL',
    ],
    ['a secret for the callout', { ...shared, ARQONBUS_AUTH_URL: 'https://app.example.org/auth' }, 'belong together'],
    ['a leeway of a minute at most', { ...shared, ARQONBUS_TOKEN_SECRET: SECRET, ARQONBUS_TOKEN_LEEWAY: '2m' }, '60s'],
    [
      'claims that exist',
      { ...shared, ARQONBUS_TOKEN_SECRET: SECRET, ARQONBUS_TOKEN_CLAIMS: 'email=mail' },
      'claim=name',
    ],
    ['headers without secrets', { ...shared, ARQONBUS_AUTH_URL_HEADERS: 'authorization' }, 'names of headers'],
  ]
  const ports = { ARQONBUS_PORT: '0', ARQONBUS_TELEMETRY_PORT: '0', ARQONBUS_HTTP_PORT: '0' }
  /** What is wrong with the settings by themselves or, where nothing is, why a server does not start with them. */
  async function faultOf(settings: Record<string, string>): Promise<string> {
    const { mistakes, config } = loadConfig({
      env: { ...ports, ...settings },
      flags: {},
      readFile: (path) => readFileSync(path, 'utf8'),
    })
    if (mistakes !== undefined) return mistakes.map((one) => one.message).join('\n')
    const problem: unknown = await startServer({ config }).catch((failed: unknown) => failed)
    return problem instanceof Error && problem.name === 'StartError' ? problem.message : `it starts: ${String(problem)}`
  }
  test.each(cases)('without %s', async (_, settings, message) => {
    const fault = await faultOf(settings)
    expect(fault).toContain(message)
    expect(fault).not.toContain(SECRET)
  })
  test('in one line, with the exit code 78', async () => {
    const { exitCode, errors } = await runToEnd({ ...shared, ARQONBUS_TOKEN_KEYS: issuer.fileOf('no.pem', 'nothing') })
    expect(exitCode).toBe(78)
    expect(errors.trim().split('\n')).toEqual([expect.stringContaining('ARQONBUS_TOKEN_KEYS has no PEM block')])
  })
})
