/** What a log line may hold: no secrets, no endless texts, and no character that moves a cursor or ends a line. */

/** Keys whose values never reach a log, wherever they are: secrets, and what users say to each other. */
const secretKeys = new Set([
  'token',
  'session',
  'admin_key',
  'authorization',
  'arqonbus-session',
  'sec-websocket-protocol',
  'cookie',
  'password',
  'secret',
  'payload',
])

const MAX_TEXT = 1024
const MAX_STACK = 16 * 1024
const MAX_DEPTH = 6
const MAX_ITEMS = 100

/** A copy of an event's fields that may be written: secrets and payloads hidden, long texts cut, errors made plain. */
export function withoutSecrets(fields: Record<string, unknown>): Record<string, unknown> {
  return plainObject(fields, 0)
}

function plain(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return cut(value, MAX_TEXT)
  if (typeof value === 'bigint') return value.toString()
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Error) return plainError(value, depth)
  if (value instanceof Date) return value.toJSON()
  if (depth >= MAX_DEPTH) return '[deeper]'
  if (Array.isArray(value)) return value.slice(0, MAX_ITEMS).map((item) => plain(item, depth + 1))
  return plainObject(value as Record<string, unknown>, depth + 1)
}

function plainObject(fields: Record<string, unknown>, depth: number): Record<string, unknown> {
  const copy: Record<string, unknown> = Object.create(null)
  let count = 0
  for (const key of Object.keys(fields)) {
    if (++count > MAX_ITEMS) break
    copy[cut(key, MAX_TEXT)] = secretKeys.has(key.toLowerCase()) ? '***' : plain(fields[key], depth)
  }
  return copy
}

function plainError(error: Error, depth: number): Record<string, unknown> {
  const copy: Record<string, unknown> = { name: error.name, message: cut(error.message, MAX_TEXT) }
  if ('code' in error) copy.code = plain(error.code, MAX_DEPTH)
  if (error.stack !== undefined) copy.stack = cut(error.stack, MAX_STACK)
  if (error.cause !== undefined && depth < MAX_DEPTH) copy.cause = plain(error.cause, depth + 1)
  return copy
}

const cut = (text: string, length: number): string =>
  text.length <= length ? text : `${text.slice(0, length)}… (${text.length} characters)`

/**
 * Control characters, invisible and direction-changing ones, and the line ends that only some readers know (U+0085,
 * U+2028).
 */
const unsafe = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu
const suspicious = /[^\x20-\x7e]/

/** The same text with everything unsafe written as `\uXXXX`, which inside a JSON string means the same. */
export function escapeUnsafe(text: string): string {
  return suspicious.test(text) ? text.replace(unsafe, escapeUnits) : text
}

function escapeUnits(character: string): string {
  let escaped = ''
  for (let at = 0; at < character.length; at++) {
    escaped += `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`
  }
  return escaped
}

/** One line of JSON as pino wrote it, made safe for every reader of lines; its meaning stays. */
export function oneLine(line: string): string {
  return `${escapeUnsafe(line.endsWith('\n') ? line.slice(0, -1) : line)}\n`
}
