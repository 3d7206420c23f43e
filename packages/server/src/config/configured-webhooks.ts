/** Webhooks: which receivers get which events, and the secrets that their requests are signed with. */
import { type AddressPattern, addressPattern, namePattern } from './address-pattern.ts'
import { type Kind, type Reading, shown } from './kind.ts'
import { table, text } from './table.ts'

/** What a receiver can ask for, and what narrows it: nothing, a room, or an address, which then may be missing or not. */
const eventTypes = {
  'client.connected': 'nothing',
  'client.disconnected': 'nothing',
  'channel.occupied': 'address',
  'channel.vacated': 'address',
  'room.paused': 'room',
  'message.published': 'needed address',
} as const

/** The type of an event. */
export type WebhookEventType = keyof typeof eventTypes

/** Events of one type; with a pattern, only those of rooms or channels that fit. */
export type EventSelector = {
  readonly type: WebhookEventType
  /** For a room, its channel is `*`. */
  readonly pattern: AddressPattern | undefined
}

/** A receiver of events. */
export type WebhookConfig = {
  readonly url: string
  readonly events: readonly EventSelector[]
  /** The keys that requests are signed with: the present one, and those that are being replaced. */
  readonly keys: readonly Uint8Array[]
}

const MOST_WEBHOOKS = 32
const MOST_EVENTS = 100
const MOST_SECRETS = 3
const FORM =
  'a JSON list of { url, events, secret }, such as [{"url": "https://app.example.org/hook", "events": ["client.connected", "message.published:science:*"], "secret": "whsec_…"}]; none for an empty one'

/** A list of webhooks: JSON as a text; in the configuration file, tables. */
export const webhooks: Kind<readonly WebhookConfig[]> = {
  name: 'webhooks',
  accepts: FORM,
  read(raw) {
    const items = typeof raw === 'string' ? itemsOf(raw) : raw
    return Array.isArray(items) ? readWebhooks(items) : {}
  },
  // It is a secret, so that nothing but the empty list is ever written.
  text: (value) => (value.length === 0 ? 'none' : '***'),
}

function itemsOf(written: string): unknown {
  if (written.trim() === 'none') return []
  try {
    return JSON.parse(written)
  } catch {
    return undefined
  }
}

function readWebhooks(items: readonly unknown[]): Reading<readonly WebhookConfig[]> {
  const faults: string[] = []
  if (items.length > MOST_WEBHOOKS) faults.push(`must have at most ${MOST_WEBHOOKS} webhooks, but has ${items.length}`)
  const found = items.map((item, at) => readWebhook(item, `webhooks[${at}]`, faults))
  found.forEach((one, at) => {
    const first = found.findIndex((other) => other?.url === one?.url)
    if (one !== undefined && first < at)
      faults.push(`webhooks[${at}].url is that of webhooks[${first}] too: put the events of both in one`)
  })
  return faults.length > 0 ? { faults } : { value: found.filter((one) => one !== undefined) }
}

function readWebhook(raw: unknown, path: string, faults: string[]): WebhookConfig | undefined {
  const before = faults.length
  const fields = table(raw, path, ['url', 'events', 'secret'], faults)
  if (fields === undefined) return undefined
  const url = readUrl(fields.url, `${path}.url`, faults)
  const events = readList(fields.events, `${path}.events`, MOST_EVENTS, faults).map((event, at) =>
    readEvent(event, `${path}.events[${at}]`, faults),
  )
  const secrets = typeof fields.secret === 'string' ? [fields.secret] : fields.secret
  const keys = readList(secrets, `${path}.secret`, MOST_SECRETS, faults).map((secret) =>
    readSecret(secret, `${path}.secret`, faults),
  )
  if (faults.length > before) return undefined
  return { url, events: events as EventSelector[], keys: keys as Uint8Array[] }
}

/** The text of a URL may hold a secret of its receiver: no fault repeats it. */
function readUrl(raw: unknown, path: string, faults: string[]): string {
  const url = URL.parse(text(raw, path, faults))
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:')) {
    if (raw !== undefined && raw !== '') faults.push(`${path} must be a URL that begins with https://`)
    return ''
  }
  if (url.username !== '' || url.password !== '' || url.hash !== '')
    faults.push(`${path} must have no user, no password and no #: the receiver knows requests by their signature`)
  return url.href
}

function readList(raw: unknown, path: string, most: number, faults: string[]): readonly unknown[] {
  if (Array.isArray(raw) && raw.length > 0 && raw.length <= most) return raw
  faults.push(`${path} must be a list of 1 to ${most} entries`)
  return []
}

function readEvent(raw: unknown, path: string, faults: string[]): EventSelector | undefined {
  const written = text(raw, path, faults)
  const colon = written.indexOf(':')
  const name = colon < 0 ? written : written.slice(0, colon)
  const type = (Object.keys(eventTypes) as WebhookEventType[]).find((one) => one === name)
  const fault = (expected: string) => {
    faults.push(`${path} must be ${expected}, but is ${shown(written)}`)
    return undefined
  }
  if (written === '') return undefined
  if (type === undefined) return fault(`one of ${Object.keys(eventTypes).join(', ')}`)
  const narrowed = colon < 0 ? undefined : written.slice(colon + 1)
  const by = eventTypes[type]
  if (narrowed === undefined)
    return by === 'needed address'
      ? fault(`${type}:room:channel, such as ${type}:science:* (${type}:*:* for all)`)
      : { type, pattern: undefined }
  if (by === 'nothing') return fault(`${type} alone`)
  if (by === 'room') {
    const room = namePattern(narrowed)
    if (room === undefined) return fault(`${type}:room, such as ${type}:science or ${type}:team-*`)
    return { type, pattern: { room, channel: { prefix: '', isExact: false }, isExact: false } }
  }
  const pattern = addressPattern(narrowed)
  return pattern === undefined ? fault(`${type}:room:channel, such as ${type}:science:*`) : { type, pattern }
}

/** `whsec_` and the base64 of 24 to 64 bytes, as Standard Webhooks has it. */
function readSecret(raw: unknown, path: string, faults: string[]): Uint8Array | undefined {
  const [, encoded = ''] = typeof raw === 'string' ? (/^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(raw) ?? []) : []
  const key = Buffer.from(encoded, 'base64')
  if (
    key.length >= 24 &&
    key.length <= 64 &&
    key.toString('base64').replaceAll('=', '') === encoded.replaceAll('=', '')
  )
    return key
  faults.push(`${path} must be whsec_ and the base64 of 24 to 64 random bytes, or a list of up to ${MOST_SECRETS} such`)
  return undefined
}
