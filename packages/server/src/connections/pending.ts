/**
 * Connections that have yet to say who they are: they get nothing and have nothing until then, and their number and time
 * are bounded (docs/protocol.md#the-first-frame).
 */
import { CodedError, type ProtocolVersions, payloadOf, readEnvelope } from '@arqonbus/protocol'
import type { Config } from '../config/index.ts'
import { after } from '../kit/timer.ts'
import { createAddressCount } from '../limits/per-address.ts'
import type { Metrics } from '../observability/metrics.ts'
import { Refused } from './refused.ts'

/** What waiting for them needs. */
type PendingDeps = {
  readonly limits: Pick<Config, 'maxPendingConnections' | 'maxPendingConnectionsPerAddress' | 'authTimeoutMs'>
  readonly versions: ProtocolVersions
  readonly metrics: Pick<Metrics, 'limit' | 'authFailed'>
}

/** Waits for the token in the first frame of a connection; fails with `Refused`. */
export type AwaitToken = (address: string, frame: () => Promise<string | Uint8Array>) => Promise<string>

/** The longest first frame: a token has 4 KiB at most. */
const MOST_BYTES = 8 * 1024
const MOST_DEPTH = 8
const RETRY_AFTER_MS = 1000

/** Creates the function that waits for tokens. */
export function createAwaitToken({ limits, versions, metrics }: PendingDeps): AwaitToken {
  const byAddress = createAddressCount()
  let count = 0

  const checkCount = (address: string) => {
    const { maxPendingConnections: most, maxPendingConnectionsPerAddress: mostOfAddress } = limits
    const isFull = count >= most
    if (!isFull && byAddress.of(address) < mostOfAddress) return
    const limit = isFull ? 'pending_connections' : 'pending_connections_per_address'
    metrics.limit(limit)
    const details = { limit, most: isFull ? most : mostOfAddress }
    throw new Refused(new CodedError('rate_limited', details, RETRY_AFTER_MS), 'pending_full')
  }
  const refuse = (expected: string) => {
    metrics.authFailed('no_frame')
    return new Refused(new CodedError('unauthenticated', { expected }), 'unauthenticated')
  }
  const tokenIn = (frame: string | Uint8Array): string => {
    const token =
      typeof frame === 'string' && Buffer.byteLength(frame) <= MOST_BYTES ? readToken(frame, versions) : undefined
    if (token === undefined) throw refuse('a first frame with the command `authenticate { token }`, of at most 8 KiB')
    return token
  }

  return async (address, frame) => {
    checkCount(address)
    count++
    const uncount = byAddress.add(address)
    const { promise: tooLate, reject } = Promise.withResolvers<never>()
    const cancel = after(limits.authTimeoutMs, () => reject(refuse('`authenticate { token }` in time')))
    try {
      return tokenIn(await Promise.race([frame(), tooLate]))
    } finally {
      cancel()
      uncount()
      count--
    }
  }
}

/** The token of the command; undefined for any other frame. Who it says that it is from is not looked at. */
function readToken(frame: string, versions: ProtocolVersions): string | undefined {
  const envelope = readEnvelope(frame, { maxDepth: MOST_DEPTH, versions }, { lastRoute: undefined })
  if ('fault' in envelope || envelope.type !== 'command') return undefined
  const { name, parameters } = payloadOf(envelope)
  if (name !== 'authenticate' || typeof parameters !== 'object' || parameters === null) return undefined
  const { token, ...others } = parameters as Record<string, unknown>
  return typeof token === 'string' && Object.keys(others).length === 0 ? token : undefined
}
