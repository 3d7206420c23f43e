/**
 * Kinds of the standard variables of OpenTelemetry: where traces go, lists of `key=value`, and the share that is
 * sampled.
 */
import { type Kind, kind, type Reading } from './kind.ts'

/** A URL of HTTP. A password in it would be shown by `check-config` and in logs, so it has none. */
export const collectorUrl: Kind<string> = {
  name: 'url',
  accepts: 'a URL such as http://127.0.0.1:4318, without user, password, query or fragment',
  read(raw): Reading<string> {
    const text = typeof raw === 'string' ? raw.trim() : ''
    if (!/^https?:\/\/[^\s?#]+$/.test(text) || !URL.canParse(text)) return {}
    const { username, password } = new URL(text)
    if (username === '' && password === '') return { value: text }
    return { faults: ['must name no user and no password: what the collector asks for goes into its headers'] }
  },
  text: String,
}

/** Pairs by key, in the order written. */
type Pairs = ReadonlyMap<string, string>

const MAX_PAIRS_LENGTH = 16_384

/** Pairs `key=value,key=value`. Values are percent-encoded where they have commas, or anything beyond visible ASCII. */
function pairs(what: string, fits: (key: string, value: string) => boolean): Kind<Pairs> {
  return kind(
    'pairs',
    `${what} as key=value, separated by commas, values percent-encoded where they need it`,
    (raw) => {
      if (typeof raw !== 'string' || raw.length > MAX_PAIRS_LENGTH) return undefined
      const read = new Map<string, string>()
      for (const part of raw.split(',')) {
        const at = part.indexOf('=')
        const key = decoded(part.slice(0, Math.max(at, 0)).trim())
        const value = decoded(part.slice(at + 1).trim())
        if (key === undefined || key === '' || value === undefined || !fits(key, value)) return undefined
        read.set(key, value)
      }
      return read
    },
    (value) => Array.from(value, (pair) => pair.map(encodeURIComponent).join('=')).join(','),
  )
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

/** Headers of a request: names are tokens, and a value that ends no line. */
export const headerPairs: Kind<Pairs> = pairs(
  'headers',
  (name, value) => /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name) && /^[\x20-\x7e]*$/.test(value),
)

/** Attributes of whatever sends traces. */
export const attributePairs: Kind<Pairs> = pairs('attributes', () => true)

/** The name of a service. */
export const serviceName: Kind<string> = kind('name', 'a name of 1 to 255 characters', (raw) =>
  typeof raw === 'string' && /^.{1,255}$/.test(raw.trim()) ? raw.trim() : undefined,
)

/** A share between nothing and everything. */
export const share: Kind<number> = kind('share', 'a number from 0 to 1', (raw) => {
  const isNumber = typeof raw === 'string' && /^(?:[0-9]+\.?|[0-9]*\.[0-9]+)(?:e-?[0-9]+)?$/i.test(raw.trim())
  const value = isNumber ? Number(raw) : raw
  return typeof value === 'number' && value >= 0 && value <= 1 ? value : undefined
})

/** Yes or no as OpenTelemetry has it: no other word is true. */
export const truth: Kind<boolean> = kind('true|false', 'true or false', (raw) => {
  const word = String(raw).trim().toLowerCase()
  return word === 'true' ? true : word === 'false' ? false : undefined
})
