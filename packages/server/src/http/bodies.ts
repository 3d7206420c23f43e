/** Bytes of the bodies of requests in progress, of all together and of each address. */
import { CodedError } from '@arqonbus/protocol'
import { createAddressSum } from '../limits/per-address.ts'
import type { LimitName } from '../observability/metric-labels.ts'
import type { Metrics } from '../observability/metrics.ts'

/** The body of one request. */
export type BodyInProgress = {
  /** Counts so many bytes more; `rate_limited` where that is too much of all bodies. */
  take(bytes: number): void
  /** The request has its answer. */
  end(): void
}

/** What bounds them. */
export type BodyBytesOptions = {
  readonly httpBodyBytes: number
  readonly httpBodyBytesPerAddress: number
  readonly metrics: Pick<Metrics, 'limit'>
}

const RETRY_AFTER_MS = 1000

/** Most requests have no body. */
const noBody: BodyInProgress = { take() {}, end() {} }

/** Creates the count; no request is in progress yet. */
export function createBodies({ httpBodyBytes, httpBodyBytesPerAddress, metrics }: BodyBytesOptions) {
  const bytesOf = createAddressSum()
  let all = 0

  const check = (limit: LimitName, bytes: number, most: number) => {
    if (bytes <= most) return
    metrics.limit(limit)
    throw new CodedError('rate_limited', { limit, limit_bytes: most }, RETRY_AFTER_MS)
  }

  /**
   * A request arrives. Its body counts with the length that the head says, at once: what is not refused in this turn,
   * the runtime may keep in memory until the request has its turn. One that is too much throws.
   */
  return ({ headers }: Request, address: string): BodyInProgress => {
    const length = Number(headers.get('content-length'))
    if (length === 0 && !headers.has('transfer-encoding')) return noBody
    let own = 0
    let hasEnded = false
    const body: BodyInProgress = {
      take(bytes) {
        // More of a body may arrive after it has taken too long.
        if (hasEnded) throw new CodedError('request_timeout')
        check('http_body_bytes', all + bytes, httpBodyBytes)
        check('http_body_bytes_per_address', bytesOf.of(address) + bytes, httpBodyBytesPerAddress)
        own += bytes
        all += bytes
        bytesOf.add(address, bytes)
      },
      end() {
        hasEnded = true
        all -= own
        bytesOf.add(address, -own)
      },
    }
    body.take(length)
    return body
  }
}
