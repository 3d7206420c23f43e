/**
 * Conversations with a bus, as a page shows them: fenced blocks marked `text conversation`, written as `wscat` and
 * `curl` print them.
 *
 *     alice$ npx wscat -c 'ws://127.0.0.1:9100/?client_id=alice'
 *     alice< {"type": "system", "payload": {"event": "welcome", …}, …}
 *     alice> {"version": "1.0", …whole envelopes here}
 *     alice: Disconnected (code: 1012, reason: "the bus restarts")
 *     $ curl http://127.0.0.1:9102/health
 *     {"status": "ok", …}
 *     bob$ curl -N http://127.0.0.1:9102/api/v1/rooms/science/channels/general/stream
 *     bob< id: 1763380800000-1
 *          data: {"version": "1.0", …}
 *
 * The name before the sign is a terminal; if there is only one, it may be omitted. A line that begins with a space
 * continues the previous one, as does a line after one that ends with `\`. Settings of the bus may follow the mark:
 * `text conversation ARQONBUS_AUTO_CREATE=off`.
 */

import type { Block } from './markdown.ts'

/** One step of a conversation. */
export type Step = { line: number; terminal: string } & (
  | { kind: 'connect'; url: string; headers: Record<string, string>; subprotocols: string[] }
  | { kind: 'send'; frame: string }
  | { kind: 'receive'; frame: string }
  | { kind: 'closed'; code: number; reason: string }
  | { kind: 'fetch'; words: string[]; body: string }
  /** Opens a stream of server-sent events; each event is received. */
  | { kind: 'listen'; words: string[] }
)

/** The settings of the bus and the steps of a block. */
export type Conversation = { settings: Record<string, string>; steps: Step[] }

/** True for a block that is marked as a conversation. */
export function isConversation({ info }: Block): boolean {
  return /^text conversation\b/.test(info)
}

/** True for a block that looks like a conversation, so that none is untested because its mark is missing. */
export function looksLikeConversation({ text }: Block): boolean {
  return /^[a-z]*[<>] \{/m.test(text)
}

/** Parses a marked block; throws with the line of the page if it has another form. */
export function readConversation(block: Block): Conversation {
  const settings = Object.fromEntries(block.info.split(/\s+/).slice(2).map(setting))
  const steps: Step[] = []
  /** A command that continues on the next line. */
  let begun = ''
  for (const [index, text] of block.text.split('\n').entries()) {
    if (text.trim() === '') continue
    const line = block.line + 1 + index
    const before = begun
    begun = ''
    if (text.endsWith('\\')) {
      begun = before + text.slice(0, -1)
      continue
    }
    const last = steps.at(-1)
    const sign = /^([a-z]*)([<>$:]) (.*)$/.exec(before + text)
    if (sign !== null) steps.push(step(sign[1]!, sign[2]!, sign[3]!, line))
    else if (last?.kind === 'fetch') last.body += `${text}\n`
    else if (text.startsWith(' ') && (last?.kind === 'send' || last?.kind === 'receive')) last.frame += text.trimStart()
    else throw new Error(`line ${line}: this is not part of a conversation: ${text}`)
  }
  return { settings, steps }
}

function setting(word: string): [string, string] {
  const at = word.indexOf('=')
  return [word.slice(0, at), word.slice(at + 1)]
}

function step(terminal: string, sign: string, text: string, line: number): Step {
  const at = { line, terminal }
  if (sign === '>') return { ...at, kind: 'send', frame: text }
  if (sign === '<') return { ...at, kind: 'receive', frame: text }
  if (sign === ':') return { ...at, ...closed(text, line) }
  const words = shellWords(text)
  if (words[0] === 'curl' && words.includes('-N')) return { ...at, kind: 'listen', words: words.slice(1) }
  if (words[0] === 'curl') return { ...at, kind: 'fetch', words: words.slice(1), body: '' }
  const from = words[0] === 'npx' ? 1 : 0
  if (words[from] === 'wscat') return { ...at, ...connect(words.slice(from + 1), line) }
  throw new Error(`line ${line}: a conversation must begin with wscat or curl, not with ${text}`)
}

function closed(text: string, line: number) {
  const match = /^Disconnected \(code: (\d+), reason: "(.*)"\)$/.exec(text)
  if (match === null) throw new Error(`line ${line}: expected Disconnected (code: …, reason: "…")`)
  return { kind: 'closed', code: Number(match[1]), reason: match[2]! } as const
}

/** The options of wscat that the pages use: `-c` the address, `-H` a header, `-s` a subprotocol. */
function connect(words: readonly string[], line: number) {
  let url = ''
  const headers: Record<string, string> = {}
  const subprotocols: string[] = []
  for (let at = 0; at < words.length; at += 2) {
    const value = words[at + 1] ?? ''
    const [header = '', content = ''] = value.split(/:\s*/, 2)
    if (words[at] === '-c') url = value
    else if (words[at] === '-H') headers[header] = content
    else if (words[at] === '-s') subprotocols.push(value)
    else throw new Error(`line ${line}: wscat may be used with -c, -H and -s here, not with ${words[at]}`)
  }
  return { kind: 'connect', url, headers, subprotocols } as const
}

function shellWords(text: string): string[] {
  return Array.from(
    text.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g),
    ([, single, double, bare]) => single ?? double ?? bare ?? '',
  )
}
