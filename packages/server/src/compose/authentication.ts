/** Creates authentication: by tokens where the settings ask for it. Only then its library is loaded. */
import { readFileSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import { type Authentication, createRoleOf, createTrustingAuthentication } from '../auth/authenticate.ts'
import { Revocations } from '../auth/revocations.ts'
import { createTokenAuthentication } from '../auth/token/authenticate-token.ts'
import { Callout } from '../auth/token/callout.ts'
import { AuthFailures } from '../auth/token/failures.ts'
import { fitting, type KeyHint, type TokenKey } from '../auth/token/key-set.ts'
import { RemoteKeys } from '../auth/token/remote-keys.ts'
import { keysOfPem, secretKey } from '../auth/token/static-keys.ts'
import type { VerifyToken } from '../auth/token/verify.ts'
import { type Config, type TokenAlgorithm, tokenAlgorithms } from '../config/index.ts'
import type { Clock } from '../kit/clock.ts'
import { exitCodes, StartError } from '../kit/start-error.ts'
import { createFailureLimit } from '../limits/failure-limit.ts'
import type { Logger } from '../observability/logger.ts'
import type { Metrics } from '../observability/metrics.ts'
import type { Reload, ReloadPart } from './settings-reload.ts'

/** What authentication is made of. */
type Parts = {
  readonly config: Config
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
  readonly isAdminKey: (key: string) => boolean
  readonly reload: Pick<Reload, 'add'>
}

/** How clients are authenticated, and what that depends on. */
export type AuthParts = {
  readonly authentication: Authentication
  readonly revocations: Revocations
  /** Forgets the decisions of your backend. */
  forgetDecisions(): void
  /** Fetches the key set again where there is one; undefined without tokens. */
  readonly refreshKeys: (() => void) | undefined
}

/** Creates it; a `StartError` where keys cannot be used. The first fetch of keys has ended then, however that went. */
export async function createAuthentication(parts: Parts): Promise<AuthParts> {
  const { config, clock, logger, metrics, isAdminKey } = parts
  const revocations = new Revocations({ clock, metrics, limits: config })
  if (config.auth === 'none') {
    const authentication = createTrustingAuthentication(createRoleOf(isAdminKey))
    return { authentication, revocations, forgetDecisions() {}, refreshKeys: undefined }
  }
  const callout = calloutOf(parts)
  let current = await verification(parts, config)
  const replace = (next: Verification) => {
    current = next
  }
  parts.reload.add(keysPart(parts, callout !== undefined, { current: () => current, replace }))
  const limit = createFailureLimit(config.authFailureRate, clock.monotonic)
  const failures = new AuthFailures({ limit, logger, metrics })
  const authentication = createTokenAuthentication({
    ...parts,
    limits: config,
    failures,
    revocations,
    callout,
    verify: () => current.verify,
  })
  const refreshKeys = () => void current.remote?.refresh()
  return { authentication, revocations, forgetDecisions: () => callout?.forget(), refreshKeys }
}

function calloutOf({ config, clock, metrics }: Parts): Callout | undefined {
  const { authUrl: url, authUrlSecret: secret } = config
  return url === undefined || secret === undefined
    ? undefined
    : new Callout({ url, secret, limits: config, clock, metrics })
}

/** The settings that say which keys there are, and which tokens they verify. */
const keySettings = [
  'tokenSecret',
  'tokenKeys',
  'tokenJwksUrl',
  'tokenAlgorithms',
  'tokenAudience',
  'tokenIssuer',
] as const satisfies ReloadPart['settings']

/** How tokens are verified, and what that was made of. */
type Verification = {
  readonly verify: VerifyToken | undefined
  readonly remote: RemoteKeys | undefined
  readonly source: readonly unknown[]
}

type InForce = { readonly current: () => Verification; readonly replace: (next: Verification) => void }

/** What a reload does with keys. Connections that a removed key has let in stay until their tokens expire. */
const keysPart = (parts: Parts, hasCallout: boolean, { current, replace }: InForce): ReloadPart => ({
  name: 'token_keys',
  settings: keySettings,
  readsFiles: true,
  async prepare(next) {
    const { remote, source } = current()
    const isSameUrl = remote?.url === next.tokenJwksUrl
    const made = await verification(parts, next, isSameUrl ? remote : undefined)
    // The keys of the same set stay while it cannot be fetched; of another one, there are none yet.
    if (!isSameUrl && made.remote?.fault !== undefined)
      throw new Error(`ARQONBUS_TOKEN_JWKS_URL cannot be fetched: ${made.remote.fault}`)
    // Nobody could be verified, or nobody would be: neither is meant by taking keys away.
    if (made.verify === undefined && !hasCallout)
      throw new Error('there must be keys of tokens: to do without, restart')
    return isDeepStrictEqual(made.source, source) ? undefined : () => replace(made)
  },
})

async function verification(parts: Parts, config: Config, known?: RemoteKeys): Promise<Verification> {
  const { clock, logger } = parts
  const { tokenSecret, tokenKeys, tokenJwksUrl: url } = config
  const pem = tokenKeys === undefined ? undefined : readFileSync(tokenKeys, 'utf8')
  const own: TokenKey[] = [
    ...(tokenSecret === undefined ? [] : [secretKey(tokenSecret)]),
    ...(pem === undefined ? [] : keysOfPem(pem)),
  ]
  const source = [pem, ...keySettings.map((key) => config[key])]
  const remote = url === undefined ? undefined : (known ?? new RemoteKeys({ url, clock, logger }))
  if (own.length === 0 && remote === undefined) return { verify: undefined, remote, source }
  const algorithms = algorithmsOf(config, own)
  const keysFor = (hint: KeyHint) => {
    const found = fitting(own, hint)
    // No set has secrets.
    return remote === undefined || hint.algorithm === 'HS256' ? found : withRemote(found, remote, hint)
  }
  await remote?.refresh()
  const { createVerifyToken } = await import('../auth/token/verify.ts')
  const { tokenAudience, tokenIssuer } = config
  const limits = { ...parts.config, tokenAudience, tokenIssuer }
  return { verify: createVerifyToken({ limits, algorithms, clock, keysFor }), remote, source }
}

/** Keys of the settings have no names: they may have signed any token. */
async function withRemote(own: TokenKey[], remote: RemoteKeys, hint: KeyHint): Promise<TokenKey[]> {
  try {
    return [...(await remote.find(hint)), ...own]
  } catch (problem) {
    if (own.length === 0) throw problem
    return own
  }
}

/** The algorithms that are accepted: those of the setting, each of which needs a key, or those that there are keys for. */
function algorithmsOf({ tokenAlgorithms: wanted, tokenJwksUrl }: Config, own: readonly TokenKey[]): TokenAlgorithm[] {
  const isRemote = (algorithm: TokenAlgorithm) => tokenJwksUrl !== undefined && algorithm !== 'HS256'
  const hasKey = (algorithm: TokenAlgorithm) => isRemote(algorithm) || own.some((key) => key.algorithm === algorithm)
  const keyless = wanted.find((algorithm) => !hasKey(algorithm))
  if (keyless !== undefined)
    throw new StartError(
      `ARQONBUS_TOKEN_ALGORITHMS has ${keyless}, and there is no key for it: add one to ARQONBUS_TOKEN_KEYS, or leave it out`,
      exitCodes.configuration,
    )
  return (wanted.length > 0 ? wanted : tokenAlgorithms).filter(hasKey)
}
