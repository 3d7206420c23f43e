/** Headers against what browsers do with responses that were not meant for them. */
import { isLoopback, nameOf } from '../peers/hosts.ts'

/**
 * Of every response: its type is what it says, no page frames it or embeds it, and no link from it tells where it came
 * from. Pages of allowed origins read the API by CORS, which `cross-origin-resource-policy` is not about.
 */
const everywhere = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
} as const

/** Of data: opened in a browser, nothing of it runs or loads, and nothing of it is kept. */
export const dataHeaders = {
  ...everywhere,
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cache-control': 'no-store',
} as const

/** Of a page and its parts, beside a policy and a cache control of their own. */
export const pageHeaders = { ...everywhere, 'cross-origin-opener-policy': 'same-origin' } as const

const TWO_YEARS_SECONDS = 63_072_000
const STRICT = `max-age=${TWO_YEARS_SECONDS}`

/**
 * `Strict-Transport-Security`, for a response over TLS to a request for that host: browsers then ask the host by TLS
 * only, on every port. Undefined for this machine itself, where other programs have ports too; for addresses browsers
 * ignore it (RFC 6797 §8.1.1).
 */
export function strictTransport(host: string | null): string | undefined {
  const name = nameOf(host ?? '')
  return name === undefined || isLoopback(name) ? undefined : STRICT
}
