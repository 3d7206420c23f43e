/**
 * Keys of tokens. Each is bound to the one algorithm of its type: what a token names is only looked up, so that no token
 * chooses how it is verified (RFC 8725 §3.1).
 */
import type { CryptoKey, KeyObject } from 'jose'
import type { TokenAlgorithm } from '../../config/index.ts'

/** One key. */
export type TokenKey = {
  readonly algorithm: TokenAlgorithm
  /** As the issuer names it; undefined where it has no name. */
  readonly kid: string | undefined
  readonly key: CryptoKey | KeyObject | Uint8Array
}

/** What a token says of its key. */
export type KeyHint = { readonly algorithm: TokenAlgorithm; readonly kid: string | undefined }

/** Keys of one set, at most: a forged token costs a verification for each that may fit. */
export const MOST_KEYS = 32

/**
 * The keys that may have signed a token: those of its algorithm, with its `kid` where both have one. A set that names
 * its keys is asked by name.
 */
export const fitting = (keys: readonly TokenKey[], { algorithm, kid }: KeyHint): TokenKey[] =>
  keys.filter((one) => one.algorithm === algorithm && (kid === undefined || one.kid === undefined || one.kid === kid))
