/** What must hold between the settings of authentication. */
import type { Config } from './options.ts'
import type { Rule } from './rule.ts'

const MIN_SECRET_BYTES = 32

const isToken = ({ auth }: Config): boolean => auth === 'token'
const hasKeys = ({ tokenSecret, tokenKeys, tokenJwksUrl }: Config): boolean =>
  tokenSecret !== undefined || tokenKeys !== undefined || tokenJwksUrl !== undefined

/** The rules. */
export const authRules: readonly Rule[] = [
  {
    keys: ['auth', 'tokenSecret', 'tokenKeys', 'tokenJwksUrl', 'authUrl'],
    broken(config) {
      if (!isToken(config) || hasKeys(config) || config.authUrl !== undefined) return undefined
      return 'token needs keys: set TOKEN_SECRET, TOKEN_KEYS or TOKEN_JWKS_URL, or AUTH_URL'
    },
  },
  {
    keys: ['tokenAudience', 'auth', 'tokenSecret', 'tokenKeys', 'tokenJwksUrl'],
    broken(config) {
      if (!isToken(config) || !hasKeys(config) || config.tokenAudience.length > 0) return undefined
      return 'TOKEN_AUDIENCE must be set where AUTH is token: without it, a token for another service would be accepted here'
    },
  },
  {
    keys: ['tokenSecret'],
    broken({ tokenSecret }) {
      if (tokenSecret === undefined || Buffer.byteLength(tokenSecret) >= MIN_SECRET_BYTES) return undefined
      return `must have at least ${MIN_SECRET_BYTES} bytes: a shorter secret can be guessed from one token`
    },
  },
  {
    keys: ['tokenAlgorithms', 'tokenSecret', 'tokenKeys', 'tokenJwksUrl'],
    broken({ tokenAlgorithms, tokenSecret, tokenKeys, tokenJwksUrl }) {
      if (tokenAlgorithms.includes('HS256') && tokenSecret === undefined)
        return 'HS256 in TOKEN_ALGORITHMS needs TOKEN_SECRET'
      const other = tokenAlgorithms.find((one) => one !== 'HS256')
      if (other === undefined || tokenKeys !== undefined || tokenJwksUrl !== undefined) return undefined
      return `${other} in TOKEN_ALGORITHMS needs TOKEN_KEYS or TOKEN_JWKS_URL`
    },
  },
  {
    keys: ['tokenSecret', 'tokenAlgorithms'],
    broken({ tokenAlgorithms, tokenSecret }) {
      if (tokenSecret === undefined || tokenAlgorithms.length === 0 || tokenAlgorithms.includes('HS256'))
        return undefined
      return 'has no effect where TOKEN_ALGORITHMS is without HS256: add it, or leave out the secret'
    },
  },
  {
    keys: ['authUrl', 'authUrlSecret'],
    broken({ authUrl, authUrlSecret }) {
      if ((authUrl === undefined) === (authUrlSecret === undefined)) return undefined
      return 'AUTH_URL and AUTH_URL_SECRET belong together: set both, or neither'
    },
  },
]
