/** Kinds for authentication: where keys and decisions come from, and how claims are named. */
import { type Kind, kind } from './kind.ts'
import { isLoopback } from './scalars.ts'

/** A URL of HTTP that nobody on the way can change the response of: https, or http to this machine. */
export const safeUrl: Kind<string> = kind(
  'url',
  'an https URL, or an http URL of this machine, without user, password and fragment',
  (raw) => {
    const url = typeof raw === 'string' ? URL.parse(raw.trim()) : null
    if (url === null || url.username !== '' || url.password !== '' || url.hash !== '') return undefined
    return url.protocol === 'https:' ||
      (url.protocol === 'http:' && isLoopback(url.hostname.replace(/^\[(.*)\]$/, '$1')))
      ? url.href
      : undefined
  },
)

/** The value of a claim: visible text without commas. */
export const claimText: Kind<string> = kind('text', 'a text of 1 to 255 visible characters', (raw) => {
  const text = typeof raw === 'string' ? raw.trim() : ''
  return /^[^\s,\p{C}]{1,255}$/u.test(text) ? text : undefined
})

/** Claims that a token may have under another name. */
export const mappedClaims = [
  'sub',
  'act',
  'arqonbus',
  'client_id',
  'client_type',
  'screen_name',
  'avatar',
  'personality',
  'role',
  'permissions',
  'deny',
  'limits',
] as const

/** A claim as this page calls it. */
export type MappedClaim = (typeof mappedClaims)[number]

const mapping = /^([a-z_]+)=([^\s,=\p{C}]{1,255})$/u

/** One claim and the name that tokens have for it: `role=https://example.org/role`. */
export const claimName: Kind<string> = kind(
  'claim=name',
  `claim=name, the claim one of ${mappedClaims.join(', ')}`,
  (raw) => {
    const text = typeof raw === 'string' ? raw.trim() : ''
    const [, claim = ''] = mapping.exec(text) ?? []
    return mappedClaims.includes(claim as MappedClaim) ? text : undefined
  },
)

/** Headers with secrets, or of the connection itself: the callout gets the token by itself, and no session. */
const withheld = [
  'authorization',
  'arqonbus-session',
  'sec-websocket-protocol',
  'sec-websocket-key',
  'connection',
  'upgrade',
]

/** The name of a header that the callout gets. */
export const passedHeader: Kind<string> = kind(
  'header',
  `the name of a header, but none of ${withheld.join(', ')}`,
  (raw) => {
    const name = typeof raw === 'string' ? raw.trim().toLowerCase() : ''
    return /^[a-z0-9!#$%&'*+.^_`|~-]{1,64}$/.test(name) && !withheld.includes(name) ? name : undefined
  },
)
