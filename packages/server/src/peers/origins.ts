/** Pages that may connect and call (docs/protocol.md#hosts-and-origins). */
import { isLoopback, nameOf } from './hosts.ts'

/** The setting that a refusal names. */
export const ORIGIN_SETTING = 'ARQONBUS_ORIGINS'

/** The origins of the setting, and whether the server speaks TLS. */
type OriginRule = { readonly allowed: readonly string[]; readonly isTls: boolean }

/**
 * True where there is no `Origin`, for pages of the host that was asked for, on any port, and for those of the setting.
 * All names and addresses of loopback are one host: a page that `localhost` served connects to `127.0.0.1`. A page that
 * came without TLS is not of a host with TLS: anybody on the way may have written it.
 */
export function isOriginAllowed(origin: string | null, host: string | null, { allowed, isTls }: OriginRule): boolean {
  if (origin === null || allowed.includes('*') || allowed.includes(origin)) return true
  const url = URL.parse(origin)
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) return false
  const [page, own] = [nameOf(url.host), nameOf(host ?? '')]
  if (page === undefined || own === undefined) return false
  if (isLoopback(page) && isLoopback(own)) return true
  return page === own && (!isTls || url.protocol === 'https:')
}

/**
 * True for a request that a page of another site caused without saying its origin, as `<img src>` does. Programs, and
 * browsers whose user typed the address, do not send this header or say `none`.
 */
export function isFromForeignPage(headers: Headers): boolean {
  const site = headers.get('sec-fetch-site')
  return site !== null && site !== 'same-origin' && site !== 'none'
}

/** True for a navigation, such as a followed link: its response is shown to a person, and not to a page. */
export const isNavigation = (headers: Headers): boolean => headers.get('sec-fetch-mode') === 'navigate'

/** The origin of a request as it is repeated to its sender and in logs: what no origin looks like is not. */
export function shownOrigin(headers: Headers): string {
  const origin = headers.get('origin')
  if (origin === null) return 'another site'
  return /^(?:null|[A-Za-z][A-Za-z0-9+.-]{0,31}:\/\/[A-Za-z0-9._:[\]-]{1,270})$/.test(origin)
    ? origin
    : 'something malformed'
}
