/** Kinds that name: booleans, choices, lists, addresses, secrets. */
import { isIP } from 'node:net'
import { type Kind, kind } from './kind.ts'

const yes = ['true', 'on', 'yes', '1']
const no = ['false', 'off', 'no', '0']

/** Yes or no. A flag without a value means yes. */
export const boolean: Kind<boolean> = kind(
  'on|off',
  'on or off (also true, false, yes, no, 1, 0)',
  (raw) => {
    if (typeof raw === 'boolean') return raw
    const word = typeof raw === 'string' ? raw.trim().toLowerCase() : ''
    return yes.includes(word) ? true : no.includes(word) ? false : undefined
  },
  (value) => (value ? 'on' : 'off'),
)

/** One of some words. */
export function choice<const Word extends string>(words: readonly Word[]): Kind<Word> {
  return kind(words.join('|'), `one of ${words.join(', ')}`, (raw) =>
    words.find((word) => typeof raw === 'string' && word === raw.trim().toLowerCase()),
  )
}

/**
 * A list of things that one pattern of reading accepts: `a,b` in a text, an array in the file. `none` is the empty
 * list.
 */
export function list<T>(item: Kind<T>, what: string): Kind<readonly T[]> {
  return kind(
    'list',
    `a list, separated by commas, of ${what}; none for an empty one`,
    (raw) => {
      const parts = typeof raw === 'string' ? (raw.trim() === 'none' ? [] : raw.split(',')) : raw
      if (!Array.isArray(parts)) return undefined
      const values: T[] = []
      for (const part of parts) {
        const reading = item.read(part)
        if (reading.value === undefined) return undefined
        if (!values.includes(reading.value)) values.push(reading.value)
      }
      return values
    },
    (values) => (values.length === 0 ? 'none' : values.map(item.text).join(',')),
  )
}

const hostName =
  /^(?=.{1,253}$)[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?(?:\.[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?)*$/

/** Where to listen: an address of this machine, or a name of it. IPv6 may be in brackets. */
export const host: Kind<string> = kind(
  'host',
  'an IP address or a host name (0.0.0.0 or :: for every network)',
  (raw) => {
    if (typeof raw !== 'string') return undefined
    const text = raw.trim().replace(/^\[(.*)\]$/, '$1')
    if (isIP(text) !== 0) return text
    // Digits and dots alone that are no address (127.0.0.256) are a slip, not a name.
    return hostName.test(text) && !/^[0-9.]+$/.test(text) ? text : undefined
  },
)

/** True for a host that only this machine reaches. */
export const isLoopback = (host: string): boolean => /^(?:localhost|127\.[0-9.]+|::1)$/i.test(host)

const originForm = /^([a-z][a-z0-9+.-]*):\/\/([^\s/?#@,\\]+)\/?$/

/** An origin as browsers send it, or `*`. Default ports are left out, as browsers do. */
export const origin: Kind<string> = kind('origin', 'an origin such as https://app.example.org, or *', (raw) => {
  if (typeof raw !== 'string') return undefined
  const text = raw.trim().toLowerCase()
  if (text === '*') return text
  const [, scheme, place] = originForm.exec(text) ?? []
  if (scheme === undefined || place === undefined) return undefined
  const written = `${scheme}://${place}`
  if (scheme !== 'http' && scheme !== 'https') return written
  return URL.canParse(written) ? new URL(written).origin : undefined
})

/** A secret that fits an HTTP header: visible ASCII without spaces. */
export const secret: Kind<string> = kind(
  'secret',
  'a secret of 1 to 1,024 visible ASCII characters without spaces',
  (raw) => (typeof raw === 'string' && /^[\x21-\x7e]{1,1024}$/.test(raw) ? raw : undefined),
)

/** The address of a bus as a browser reaches it. */
export const webSocketUrl: Kind<string> = kind(
  'url',
  'an address such as wss://bus.example.org/ or ws://10.0.0.5:9100/',
  (raw) => {
    const url = typeof raw === 'string' ? URL.parse(raw.trim()) : null
    const isPlain = url !== null && url.username === '' && url.password === '' && url.hash === '' && url.search === ''
    return isPlain && (url.protocol === 'ws:' || url.protocol === 'wss:') ? url.href : undefined
  },
)

const path = kind('file', 'the path of a file', (raw) =>
  typeof raw === 'string' && raw.trim() !== '' && !raw.includes('\0') ? raw.trim() : undefined,
)

/** The path of a file that this process can read. */
export const file: Kind<string> = { ...path, file: 'open' }

/** The path of a file that only this process should read. */
export const privateFile: Kind<string> = { ...path, file: 'private' }
