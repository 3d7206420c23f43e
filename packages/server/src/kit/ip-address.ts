/** IP addresses: one form for each, and what limits count as one peer. */
import { isIPv4, isIPv6 } from 'node:net'

/**
 * The form in which an address is compared, counted and logged: an IPv4 address that came as IPv6 (`::ffff:192.0.2.1`)
 * is an IPv4 address. Undefined for text that is no address.
 */
export function plainAddress(text: string): string | undefined {
  if (isIPv4(text)) return text
  if (!isIPv6(text)) return undefined
  const groups = groupsOf(text)
  return isMapped(groups) ? dotted(groups[6]!, groups[7]!) : text.toLowerCase()
}

/**
 * What limits count as one peer: an IPv4 address, or the first 64 bits of an IPv6 address, because one customer has
 * them all. Takes what `plainAddress` returns; other text is returned as it is.
 */
export function networkOf(address: string): string {
  if (!address.includes(':') || !isIPv6(address)) return address
  const groups = groupsOf(address).slice(0, 4)
  return `${groups.map((group) => group.toString(16)).join(':')}::/64`
}

/** True for addresses of this machine that no other can reach: `127.0.0.0/8` and `::1`. */
export const isLoopbackAddress = (address: string): boolean =>
  isIPv4(address) ? address.startsWith('127.') : isIPv6(address) && groupsOf(address).join(':') === '0:0:0:0:0:0:0:1'

/** The eight groups of an IPv6 address; its zone (`%eth0`) is left out. */
export function groupsOf(address: string): number[] {
  const [head = '', tail] = address.split('%', 1)[0]!.split('::') as [string, string?]
  const before = readGroups(head)
  if (tail === undefined) return before
  const after = readGroups(tail)
  return [...before, ...Array<number>(8 - before.length - after.length).fill(0), ...after]
}

function readGroups(text: string): number[] {
  if (text === '') return []
  return text.split(':').flatMap((part) => {
    if (!part.includes('.')) return [Number.parseInt(part, 16)]
    const [a, b, c, d] = part.split('.').map(Number) as [number, number, number, number]
    return [(a << 8) | b, (c << 8) | d]
  })
}

const isMapped = (groups: readonly number[]): boolean =>
  groups[5] === 0xffff && groups.slice(0, 5).every((group) => group === 0)

const dotted = (high: number, low: number): string => [high >> 8, high & 255, low >> 8, low & 255].join('.')
