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

function isTime(text: string): boolean {
  const parts = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)$/.exec(text)
  if (parts === null || /[^\x20-\x7e]/.test(text)) return false
  const [year, month, day, hour, minute, second] = parts.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  const offset = parts[8]!
  const [offsetHour, offsetMinute] = offset === 'Z' ? [0, 0] : [Number(offset.slice(1, 3)), Number(offset.slice(4))]
  if (hour > 23 || minute > 59 || second > 60 || offsetHour > 23 || offsetMinute > 59) return false
  const date = new Date(0)
  date.setUTCFullYear(year, month - 1, day)
  if (date.getUTCFullYear() !== year || date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return false
  if (second < 60) return true
  const east = (offset[0] === '-' ? -1 : 1) * (offsetHour * 60 + offsetMinute)
  date.setUTCHours(hour, minute - east)
  return date.getUTCHours() === 23 && date.getUTCMinutes() === 59
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
