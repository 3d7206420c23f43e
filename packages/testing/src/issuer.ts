/** An issuer of tokens for tests: real keys, real signatures, and a key set that can be served. */
import { afterAll } from 'bun:test'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Config } from '@arqonbus/server'
import { type CryptoKey, exportJWK, exportSPKI, generateKeyPair, type JWK, type JWTPayload, SignJWT } from 'jose'

/** The audience that these tokens are for. */
export const AUDIENCE = 'bus.example.org'
/** The secret of those that are signed with HS256. */
export const SECRET = 'a-secret-of-more-than-thirty-two-bytes'

/** Algorithms with a key pair. */
export const pairAlgorithms = ['RS256', 'ES256', 'EdDSA'] as const
type PairAlgorithm = (typeof pairAlgorithms)[number]

/** How a token differs from the usual one. */
export type TokenParts = {
  readonly alg?: string
  readonly header?: Record<string, unknown>
  readonly claims?: JWTPayload
  readonly key?: CryptoKey | Uint8Array
  /** Now, in milliseconds. */
  readonly now?: number
  /** Seconds from now to `exp`. */
  readonly life?: number
}

/** An issuer. */
export type Issuer = Awaited<ReturnType<typeof createIssuer>>

/** Every action of a grant that is asked for by address or client. */
const everything = ['join', 'publish', 'history', 'create', 'private', 'presence', 'telemetry', 'status']

/** Permits everything but to manage. */
export const ALL_PERMISSIONS = { '*:*': everything, '@*': everything }

/** Creates an issuer with new keys; its files are removed after the tests. */
export async function createIssuer() {
  const folder = mkdtempSync(join(tmpdir(), 'arqonbus-issuer-'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  const fileOf = (name: string, text: string): string => {
    const path = join(folder, name)
    writeFileSync(path, text)
    return path
  }
  const made = await Promise.all(
    pairAlgorithms.map(async (alg) => [alg, await generateKeyPair(alg, { extractable: true })] as const),
  )
  const pairs = Object.fromEntries(made) as Record<PairAlgorithm, (typeof made)[number][1]>
  const pem = await Promise.all(made.map(([, { publicKey }]) => exportSPKI(publicKey)))
  const keysFile = fileOf('keys.pem', pem.join(''))
  const keyOf = (alg: string) =>
    alg === 'HS256' ? new TextEncoder().encode(SECRET) : pairs[alg as PairAlgorithm].privateKey
  return {
    pairs,
    keysFile,
    /** Writes a file. */
    fileOf,
    /** Settings of a bus that accepts its tokens. */
    config: { auth: 'token', tokenKeys: keysFile, tokenAudience: [AUDIENCE] } satisfies Partial<Config>,
    /** Signs a token for a subject, who may do everything. */
    token(sub: string, { alg = 'ES256', header, claims, key, now = Date.now(), life = 3600 }: TokenParts = {}) {
      const iat = Math.floor(now / 1000)
      const arqonbus = { permissions: ALL_PERMISSIONS }
      return new SignJWT({ aud: AUDIENCE, sub, iat, exp: iat + life, arqonbus, ...claims })
        .setProtectedHeader({ alg, typ: 'JWT', ...header })
        .sign(key ?? keyOf(alg))
    },
    /** Public keys as a key set, each under its algorithm as `kid` unless it has another one. */
    async keySet(algorithms: readonly PairAlgorithm[] = pairAlgorithms, kids: readonly string[] = algorithms) {
      const jwk = async (alg: PairAlgorithm, i: number): Promise<JWK> => ({
        ...(await exportJWK(pairs[alg].publicKey)),
        kid: kids[i]!,
        alg,
        use: 'sig',
      })
      return { keys: await Promise.all(algorithms.map(jwk)) }
    },
  }
}

/** The header of a call or a connection with a token. */
export const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` })

/** Serves JSON over HTTP on this machine until the tests have ended; returns the URL. */
export function serveJson(answer: (request: Request) => unknown): string {
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    fetch: async (request) => {
      const answered = await answer(request)
      return answered instanceof Response ? answered : Response.json(answered)
    },
  })
  afterAll(() => server.stop(true))
  return `http://127.0.0.1:${server.port}/`
}
