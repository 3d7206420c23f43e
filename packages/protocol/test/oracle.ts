/**
 * A second implementation of the frame check: slow, strict, and without any code of the parser. It reads character by
 * character, and follows only the text of the protocol.
 */

/** The verdict of the oracle: a refusal with a code, or accepted fields. */
export type Verdict =
  | { readonly code: 'invalid_json' | 'invalid_envelope' | 'unsupported_version'; readonly requestId: string | null }
  | {
      readonly fields: Readonly<Record<string, string>>
      readonly payload: string
      readonly metadata: string | undefined
    }

/** Judges a frame of version 1.0. */
export function judge(text: string, maxDepth: number): Verdict {
  if (depthOf(text) > maxDepth) return { code: 'invalid_envelope', requestId: null }
  const frame = parse(text)
  if (frame === undefined) return { code: 'invalid_json', requestId: null }
  const refused = (code: 'invalid_envelope' | 'unsupported_version') => ({ code, requestId: idOf(frame) })
  if (frame.members === undefined || !hasPlainKeys(frame)) return refused('invalid_envelope')
  const version = valueIn(frame, 'version')
  if (version?.text !== undefined && version.text !== '1.0') return refused('unsupported_version')
  if (!isEnvelope(frame)) return refused('invalid_envelope')
  const fields = Object.fromEntries(
    ['id', 'type', 'room', 'channel', 'from'].map((key) => [key, valueIn(frame, key)!.text!]),
  )
  return { fields, payload: valueIn(frame, 'payload')!.source, metadata: valueIn(frame, 'metadata')?.source }
}

/** A parsed value with its source. */
type Node = {
  readonly source: string
  /** The value of a string. */
  readonly text?: string
  readonly items?: readonly Node[]
  readonly members?: readonly { readonly spelled: string; readonly name: string; readonly value: Node }[]
}

const valueIn = (node: Node | undefined, name: string): Node | undefined =>
  node?.members?.find((member) => member.name === name)?.value

function idOf(frame: Node): string | null {
  const ids = (frame.members ?? []).filter((member) => member.name === 'id')
  const text = ids.length === 1 ? ids[0]!.value.text : undefined
  return text !== undefined && isMessageId(text) ? text : null
}

/** Whether no key is repeated or spelled with an escape. */
const hasPlainKeys = (node: Node): boolean =>
  node.members!.every(({ spelled, name }) => spelled === name) &&
  isWithoutDoubles(node.members!.map(({ name }) => name))

const isWithoutDoubles = (names: readonly string[]): boolean => names.every((name, i) => names.indexOf(name) === i)

const required = ['version', 'id', 'type', 'room', 'channel', 'from', 'timestamp', 'payload']

function isEnvelope(frame: Node): boolean {
  const names = frame.members!.map(({ name }) => name)
  if (!required.every((name) => names.includes(name))) return false
  if (!names.every((name) => required.includes(name) || name === 'metadata')) return false
  const text = (name: string) => valueIn(frame, name)!.text
  const [version, id, type, room, channel, from, time] = required.map(text)
  if (version === undefined || id === undefined || type === undefined || room === undefined) return false
  if (channel === undefined || from === undefined || time === undefined) return false
  if (!isMessageId(id) || !isName(room, 64, '_.-') || !isName(from, 128, '_.@-') || !isTime(time)) return false
  if (channel !== '*' && !isName(channel, 64, '_.-')) return false
  if (!['event', 'system', 'command', 'private', 'command_response', 'telemetry'].includes(type)) return false
  if (valueIn(frame, 'payload')!.members === undefined) return false
  const metadata = valueIn(frame, 'metadata')
  if (metadata !== undefined && !isMetadata(metadata)) return false
  if (type === 'private') return channel === 'pm' && valueIn(metadata, 'to') !== undefined
  return type !== 'event' || channel !== 'pm'
}

function isMetadata({ members }: Node): boolean {
  if (members === undefined || !isWithoutDoubles(members.map(({ name }) => name))) return false
  return members.every(({ name, value }) => {
    if (name === 'position' || name === 'provisional' || name.startsWith('arq_')) return false
    if (name === 'ack') return isAck(value)
    if (name === 'to') return isTo(value)
    if (name === 'cause') return value.text !== undefined && isMessageId(value.text)
    if (name === 'key') return value.text !== undefined && value.text !== '' && [...value.text].length <= 256
    return name !== 'traceparent' || (value.text !== undefined && isTraceparent(value.text))
  })
}

const isLevel = (node: Node): boolean => ['memory', 'stored', 'disk'].includes(node.text ?? '')

function isAck(node: Node): boolean {
  if (node.members === undefined) return node.source === 'true' || node.source === 'false' || isLevel(node)
  // Repeated keys below the top level of the metadata are application-defined: the last one counts, as in every parser.
  const last = new Map(node.members.map(({ name, value }) => [name, value]))
  return [...last].every(([name, value]) => {
    if (name === 'level') return isLevel(value)
    const count = Number(value.source)
    return name === 'replicas' && isNumber(value) && Number.isInteger(count) && count >= 0 && count <= 16
  })
}

const isNumber = (node: Node): boolean => /^-?[0-9]/.test(node.source)

function isTo(node: Node): boolean {
  if (node.text !== undefined) return isName(node.text, 128, '_.@-')
  const ids = node.items?.map((item) => item.text)
  if (ids === undefined || ids.length < 1 || ids.length > 32) return false
  return ids.every((id) => id !== undefined && isName(id, 128, '_.@-')) && isWithoutDoubles(ids as string[])
}

function isTraceparent(text: string): boolean {
  const isHex = (part: string, length: number) =>
    part.length === length && [...part].every((one) => '0123456789abcdef'.includes(one))
  const isZero = (part: string) => [...part].every((one) => one === '0')
  const [version, trace, parent, flags, ...more] = text.split('-')
  if (version === undefined || trace === undefined || parent === undefined || flags === undefined) return false
  if (
    !isHex(version, 2) ||
    version === 'ff' ||
    !isHex(trace, 32) ||
    isZero(trace) ||
    !isHex(parent, 16) ||
    isZero(parent)
  )
    return false
  if (!isHex(flags, 2) || (version === '00' && more.length > 0)) return false
  return more.every((part) => [...part].every((one) => one > ' ' && one <= '~'))
}

const isAlphanumeric = (one: string): boolean =>
  one.length === 1 && 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'.includes(one)

function isName(text: string, longest: number, more: string): boolean {
  if (text.length < 1 || text.length > longest || !isAlphanumeric(text[0]!)) return false
  return [...text].every((one) => isAlphanumeric(one) || more.includes(one))
}

function isMessageId(text: string): boolean {
  const rest = text.slice(4)
  return (
    text.startsWith('arq_') &&
    rest.length >= 1 &&
    rest.length <= 64 &&
    [...rest].every((one) => isAlphanumeric(one) || one === '_' || one === '-')
  )
}

/** The forms of a date-time, as the standard writes them: each letter is a digit. */
const dates = ['YYYY-MM-DD', 'YYYY-DDD', 'YYYY-Www-D', 'YYYYMMDD', 'YYYYDDD', 'YYYYWwwD']
const times = [
  ['hh:mm:ss', 'hh:mm', 'hh'],
  ['hhmmss', 'hhmm', 'hh'],
]
const zones = ['', 'Z', '+hh:mm', '+hhmm', '+hh', '-hh:mm', '-hhmm', '-hh']

/** The numbers of a text in such a form, by letter; undefined if it has another one. */
function numbersIn(text: string, form: string): Map<string, number> | undefined {
  if (text.length !== form.length) return undefined
  const found = new Map<string, number>()
  for (const [at, letter] of [...form].entries()) {
    const one = text[at]!
    const isDigit = '0123456789'.includes(one)
    if ('YMDwhms'.includes(letter) ? !isDigit : one !== letter) return undefined
    if (isDigit) found.set(letter, 10 * (found.get(letter) ?? 0) + Number(one))
  }
  return found
}

/** Whether a date or time is of one of the forms and passes the check of its numbers. */
const hasForm = (
  text: string,
  forms: readonly string[],
  isReal: (numbers: Map<string, number>, form: string) => boolean,
) =>
  forms.some((form) => {
    const numbers = numbersIn(text, form)
    return numbers !== undefined && isReal(numbers, form)
  })

function isTime(text: string): boolean {
  const t = text.indexOf('T')
  if (t < 0) return false
  const date = text.slice(0, t)
  if (!hasForm(date, dates, isRealDate)) return false
  const isBasic = !date.includes('-')
  const rest = text.slice(t + 1)
  const zoneAt = [...rest].findIndex((one) => 'Z+-'.includes(one))
  const zone = zoneAt < 0 ? '' : rest.slice(zoneAt)
  const [whole = '', ...fractions] = (zoneAt < 0 ? rest : rest.slice(0, zoneAt)).replace(',', '.').split('.')
  const [fraction = '0'] = fractions
  if (fractions.length > 1 || fraction === '' || [...fraction].some((one) => !'0123456789'.includes(one))) return false
  return hasForm(zone, zones, (offset) => {
    const [hours, minutes] = [offset.get('h') ?? 0, offset.get('m') ?? 0]
    const east = (zone.startsWith('-') ? -1 : 1) * (hours * 60 + minutes)
    return (
      hours < 24 && minutes < 60 && hasForm(whole, times[isBasic ? 1 : 0]!, (time) => isRealTime(time, fraction, east))
    )
  })
}

function isRealTime(time: Map<string, number>, fraction: string, east: number): boolean {
  const [hour, minute, second] = ['h', 'm', 's'].map((letter) => time.get(letter) ?? 0) as [number, number, number]
  if (hour === 24) return minute === 0 && second === 0 && [...fraction].every((one) => one === '0')
  if (hour > 24 || minute > 59 || second > 60) return false
  if (second < 60) return true
  const utc = new Date(Date.UTC(2000, 0, 1, hour, minute - east))
  return utc.getUTCHours() === 23 && utc.getUTCMinutes() === 59
}

function isRealDate(date: Map<string, number>, form: string): boolean {
  const [year, month, day, week] = ['Y', 'M', 'D', 'w'].map((letter) => date.get(letter) ?? 1) as number[]
  const at = (month: number, day: number) => {
    const date = new Date(0)
    date.setUTCFullYear(year!, month - 1, day)
    return date
  }
  if (form.includes('M')) return at(month!, day!).getUTCMonth() === month! - 1 && at(month!, day!).getUTCDate() === day
  if (!form.includes('w')) return day! > 0 && at(1, day!).getUTCFullYear() === year
  // The week is that of its Thursday, and 4 January is in the first one.
  const thursday = at(1, 4 - ((at(1, 4).getUTCDay() + 6) % 7) + 3 + 7 * (week! - 1))
  return day! >= 1 && day! <= 7 && week! >= 1 && thursday.getUTCFullYear() === year
}

/** The depth of brackets outside strings. */
function depthOf(text: string): number {
  let depth = 0
  let deepest = 0
  let inString = false
  for (let at = 0; at < text.length; at++) {
    const one = text[at]
    if (inString) {
      if (one === '\\') at++
      else if (one === '"') inString = false
    } else if (one === '"') inString = true
    else if (one === '{' || one === '[') deepest = Math.max(deepest, ++depth)
    else if (one === '}' || one === ']') depth--
  }
  return deepest
}

/** JSON as RFC 8259 has it; undefined for anything else. */
function parse(text: string): Node | undefined {
  let at = 0
  const fail = (): never => {
    throw new NotJson()
  }
  const space = () => {
    while (at < text.length && ' \t\r\n'.includes(text[at]!)) at++
  }
  const take = (what: string): boolean => {
    if (!text.startsWith(what, at)) return false
    at += what.length
    return true
  }
  const digits = () => {
    const start = at
    while (at < text.length && text[at]! >= '0' && text[at]! <= '9') at++
    if (at === start) fail()
  }
  const number = () => {
    take('-')
    if (!take('0')) digits()
    if (take('.')) digits()
    if (take('e') || take('E')) {
      if (!take('+')) take('-')
      digits()
    }
  }
  const string = (): string => {
    if (!take('"')) fail()
    let spelled = ''
    for (;;) {
      if (at >= text.length || text[at]! < ' ') fail()
      if (take('"')) return spelled
      spelled += take('\\') ? escaped() : text[at++]!
    }
  }
  const escaped = (): string => {
    const one = text[at++] ?? fail()
    const known = '"\\/bfnrt'.indexOf(one)
    if (known >= 0) return '"\\/\b\f\n\r\t'[known]!
    const hex = text.slice(at, at + 4)
    if (one !== 'u' || hex.length < 4 || ![...hex].every((digit) => '0123456789abcdefABCDEF'.includes(digit))) fail()
    at += 4
    return String.fromCharCode(Number.parseInt(hex, 16))
  }
  const list = <T>(close: string, item: () => T): T[] => {
    const items: T[] = []
    space()
    if (take(close)) return items
    do {
      space()
      items.push(item())
      space()
    } while (take(','))
    if (!take(close)) fail()
    return items
  }
  const member = () => {
    const start = at
    const name = string()
    const spelled = text.slice(start + 1, at - 1)
    space()
    if (!take(':')) fail()
    space()
    return { spelled, name, value: value() }
  }
  const value = (): Node => {
    const start = at
    const source = () => text.slice(start, at)
    if (take('{')) {
      const members = list('}', member)
      return { source: source(), members }
    }
    if (take('[')) {
      const items = list(']', value)
      return { source: source(), items }
    }
    if (text[at] === '"') {
      const spelled = string()
      return { source: source(), text: spelled }
    }
    if (!take('true') && !take('false') && !take('null')) number()
    return { source: source() }
  }
  try {
    space()
    const node = value()
    space()
    return at === text.length ? node : undefined
  } catch (problem) {
    if (problem instanceof NotJson) return undefined
    throw problem
  }
}

class NotJson extends Error {}
