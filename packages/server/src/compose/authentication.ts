/** Creates authentication: by tokens where the settings ask for it. Only then its library is loaded. */
import { readFileSync } from 'node:fs'
import { type Authentication, createRoleOf, createTrustingAuthentication } from '../auth/authenticate.ts'
import { Revocations } from '../auth/revocations.ts'
import { createTokenAuthentication } from '../auth/token/authenticate-token.ts'
import { Callout } from '../auth/token/callout.ts'
import { AuthFailures } from '../auth/token/failures.ts'
import { fitting, type KeyHint, type TokenKey } from '../auth/token/key-set.ts'
import { RemoteKeys } from '../auth/token/remote-keys.ts'
import { keysOfPem, secretKey } from '../auth/token/static-keys.ts'
import { type Config, type TokenAlgorithm, tokenAlgorithms } from '../config/index.ts'
import type { Clock } from '../kit/clock.ts'
import { exitCodes, StartError } from '../kit/start-error.ts'
import { createFailureLimit } from '../limits/failure-limit.ts'
import type { Logger } from '../observability/logger.ts'
import type { Metrics } from '../observability/metrics.ts'

/** What authentication is made of. */
type Parts = {
  readonly config: Config
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
  readonly isAdminKey: (key: string) => boolean
}

/** How clients are authenticated, and what that depends on. */
export type AuthParts = {
  readonly authentication: Authentication
  readonly revocations: Revocations
  /** Forgets the decisions of your backend. */
  forgetDecisions(): void
  /** Fetches the keys that are fetched; undefined where none are. */
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
  const { verify, refreshKeys } = await verification(parts)
  const limit = createFailureLimit(config.authFailureRate, clock.monotonic)
  const failures = new AuthFailures({ limit, logger, metrics })
  const authentication = createTokenAuthentication({ ...parts, limits: config, failures, revocations, verify, callout })
  return { authentication, revocations, forgetDecisions: () => callout?.forget(), refreshKeys }
}

function calloutOf({ config, clock, metrics }: Parts): Callout | undefined {
  const { authUrl: url, authUrlSecret: secret } = config
  return url === undefined || secret === undefined
    ? undefined
    : new Callout({ url, secret, limits: config, clock, metrics })
}

async function verification({ config, clock, logger }: Parts) {
  const { tokenSecret, tokenKeys, tokenJwksUrl: url } = config
  const own: TokenKey[] = [
    ...(tokenSecret === undefined ? [] : [secretKey(tokenSecret)]),
    ...(tokenKeys === undefined ? [] : keysOfPem(readFileSync(tokenKeys, 'utf8'))),
  ]
  const remote = url === undefined ? undefined : new RemoteKeys({ url, clock, logger })
  if (own.length === 0 && remote === undefined) return { verify: undefined, refreshKeys: undefined }
  const algorithms = algorithmsOf(config, own)
  const keysFor = (hint: KeyHint) => {
    const found = fitting(own, hint)
    // No set has secrets.
    return remote === undefined || hint.algorithm === 'HS256' ? found : withRemote(found, remote, hint)
  }
  await remote?.refresh()
  const { createVerifyToken } = await import('../auth/token/verify.ts')
  const verify = createVerifyToken({ limits: config, algorithms, clock, keysFor })
  return { verify, refreshKeys: remote && (() => void remote.refresh()) }
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
