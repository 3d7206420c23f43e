/** Kinds for peers: proxies that are trusted, and names that the server answers to. */
import { isIP } from 'node:net'
import { type Kind, kind } from './kind.ts'

/** An address, a network such as `10.0.0.0/8`, or `loopback`. */
export const network: Kind<string> = kind(
  'network',
  'an address (192.0.2.1), a network (10.0.0.0/8, 2001:db8::/32), or loopback',
  (raw) => {
    if (typeof raw !== 'string') return undefined
    const text = raw.trim().toLowerCase()
    if (text === 'loopback') return text
    const [address = '', bits, ...rest] = text.split('/')
    const family = isIP(address)
    if (family === 0 || rest.length > 0) return undefined
    if (bits === undefined) return text
    const isLength = /^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128)
    return isLength ? `${address}/${Number(bits)}` : undefined
  },
)

const nameForm = /^(\*\.)?([^\s:/?#@\\%,*[\]]+)$/

/** A host name, `*.example.org` for all names below one, or `*`. Addresses are always answered to and need no entry. */
export const hostPattern: Kind<string> = kind(
  'host',
  'a host name without a port (bus.example.org), *.example.org, or *',
  (raw) => {
    const text = typeof raw === 'string' ? raw.trim() : ''
    if (text === '*') return text
    const [, below = '', name] = nameForm.exec(text) ?? []
    const url = name === undefined || name.length > 253 ? null : URL.parse(`http://${name}`)
    const host = url?.hostname.replace(/\.$/, '') ?? ''
    return host === '' ? undefined : `${below}${host}`
  },
)
