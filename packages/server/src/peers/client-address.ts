/** Whose request it is: the address of a connection, or the one that a trusted proxy names in `X-Forwarded-For`. */
import { BlockList, isIPv4, isIPv6 } from 'node:net'
import { plainAddress } from '../kit/ip-address.ts'

/** Finds the address of the client of a request. */
export type ClientAddress = (connection: string, headers: Headers) => string

/** The networks that `loopback` in the setting means. */
const LOOPBACK = ['127.0.0.0/8', '::1/128']

/** Proxies in one chain; a longer list is not read any further. */
const MOST_HOPS = 32

/**
 * Returns whether an address belongs to a trusted proxy. `trusted` holds addresses, networks (`10.0.0.0/8`) and
 * `loopback`.
 */
export function createTrust(trusted: readonly string[]): (address: string) => boolean {
  if (trusted.length === 0) return () => false
  const list = new BlockList()
  for (const entry of trusted.flatMap((one) => (one === 'loopback' ? LOOPBACK : one))) {
    const [address = '', bits] = entry.split('/')
    const family = isIPv4(address) ? 'ipv4' : 'ipv6'
    if (bits === undefined) list.addAddress(address, family)
    else list.addSubnet(address, Number(bits), family)
  }
  return (address) => (isIPv4(address) ? list.check(address) : isIPv6(address) && list.check(address, 'ipv6'))
}

/**
 * Proxies append the address that they were called from to `X-Forwarded-For`, so its last entries are the proxies' own
 * words and everything before the first entry of a stranger is the stranger's. The last address that is not a trusted
 * proxy is the client. The header of an untrusted peer is not read, and an entry that is no address ends the reading at
 * the proxy that wrote it.
 */
export function createClientAddress(isTrusted: (address: string) => boolean): ClientAddress {
  return (connection, headers) => {
    let address = plainAddress(connection) ?? connection
    if (!isTrusted(address)) return address
    const chain = headers.get('x-forwarded-for') ?? ''
    for (let end = chain.length, hops = 0; end > 0 && hops < MOST_HOPS; hops++) {
      const comma = chain.lastIndexOf(',', end - 1)
      const hop = addressIn(chain.slice(comma + 1, end).trim())
      if (hop === undefined) return address
      address = hop
      if (!isTrusted(address)) return address
      end = comma
    }
    return address
  }
}

/** An entry: an address, perhaps with the port of the connection. */
function addressIn(entry: string): string | undefined {
  const [, bracketed, dotted] = /^(?:\[([^\]]{2,64})\]|([0-9.]{7,15}))(?::\d{1,5})?$/.exec(entry) ?? []
  return plainAddress(bracketed ?? dotted ?? entry)
}
