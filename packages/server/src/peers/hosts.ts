/**
 * Names by which the server may be asked for (docs/protocol.md#hosts-and-origins). A page of `evil.example` can let
 * that name point to this machine once it is loaded (DNS rebinding): for its browser the server is then the page's own,
 * and no other check holds. The `Host` header still says `evil.example`.
 */
import { isIP } from 'node:net'
import { isLoopbackAddress, plainAddress } from '../kit/ip-address.ts'

/** The settings that allow a name. */
export type HostSettings = {
  /** Names, `*.example.org` for all names below one, or `*` for every name. */
  readonly allowedHosts: readonly string[]
  /** Where the three ports listen; a name there may be asked for. */
  readonly listening: readonly string[]
  /** Origins and URLs whose hosts may be asked for as well. */
  readonly urls: readonly (string | undefined)[]
}

/** True for a `Host` header that the server answers to. */
export type IsHostAllowed = (host: string) => boolean

/** The setting that a refusal names. */
export const HOST_SETTING = 'ARQONBUS_ALLOWED_HOSTS'

/** Creates the rule: IP addresses and `localhost` are always allowed. */
export function createHostRule({ allowedHosts, listening, urls }: HostSettings): IsHostAllowed {
  const names = new Set<string>()
  const endings: string[] = []
  for (const name of [...allowedHosts, ...listening, ...urls.map(hostOfUrl)]) {
    if (name?.startsWith('*.')) endings.push(name.slice(1).toLowerCase())
    else if (name !== undefined) names.add(name.toLowerCase())
  }
  const decide = (host: string): boolean => {
    const name = nameOf(host)
    if (name === undefined) return false
    if (names.has('*') || isIP(name) !== 0 || isLoopback(name)) return true
    return names.has(name) || endings.some((ending) => name.endsWith(ending) && name.length > ending.length)
  }
  // Nearly all requests of a server have one Host.
  let last = { host: '', isAllowed: decide('') }
  return (host) => {
    if (host !== last.host) last = { host, isAllowed: decide(host) }
    return last.isAllowed
  }
}

/** Longer than the longest name with a port. */
const LONGEST_HOST = 270

/** What a `Host` header may have: an IPv6 address in brackets, or a name or IPv4 address, and perhaps a port. */
const hostForm = /^(\[[0-9A-Fa-f:.]+\]|[^\s:/?#@\\%,[\]]+)(?::\d{0,5})?$/

/**
 * The host of a `Host` header as URLs write it: lower case, without port, brackets and the dot at its end; an IPv4
 * address in IPv6 form as IPv4. Undefined where the header is malformed or was sent twice.
 */
export function nameOf(host: string): string | undefined {
  const text = host.length > LONGEST_HOST ? undefined : hostForm.exec(host)?.[1]
  const url = text === undefined ? null : URL.parse(`http://${text}`)
  if (url === null) return undefined
  const name = url.hostname.replace(/^\[|\]$|\.$/g, '')
  return plainAddress(name) ?? (name === '' ? undefined : name)
}

/** True for a name or an address of this machine that no other machine can reach. */
export const isLoopback = (name: string): boolean =>
  name === 'localhost' || name.endsWith('.localhost') || isLoopbackAddress(name)

/** A `Host` header as it is repeated to its sender and in logs: what no name looks like is not. */
export const shownHost = (host: string): string =>
  /^[A-Za-z0-9._:[\]-]{1,270}$/.test(host) ? host : 'something malformed'

function hostOfUrl(url: string | undefined): string | undefined {
  const host = url === undefined ? undefined : URL.parse(url)?.host
  return host === undefined ? undefined : nameOf(host)
}
