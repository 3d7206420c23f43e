/**
 * Server-sent events: how an envelope looks as one (https://html.spec.whatwg.org/multipage/server-sent-events.html).
 */
import type { ParsedEnvelope } from '@arqonbus/protocol'

/** Where every delivered envelope says what it is: its keys have one order. */
const head = /\{"version":"[^"]*","id":"[^"]*","type":"(?<type>[a-z_]+)","room":"[^"]*","channel":"(?<channel>[^"]*)"/y

const POSITION = '"position":"'

/**
 * A delivered envelope as an event. Messages of the channel have their position as its id, with which a stream goes on;
 * notices of the bus have their name as its type.
 */
export function eventOf(text: string): string {
  head.lastIndex = 0
  const { type, channel } = head.exec(text)!.groups as Pick<ParsedEnvelope, 'type' | 'channel'>
  if (type === 'system') return noticeEvent(text)
  const id = type === 'event' && channel !== '*' ? positionIn(text) : undefined
  return event({ id, data: text })
}

/** The fields of an event. */
type EventFields = {
  type?: string | undefined
  id?: string | undefined
  /** When to come back, in milliseconds. */
  retry?: number | undefined
  data: string
}

/** The text of an event. */
export function event({ type, id, retry, data }: EventFields): string {
  const named = type === undefined ? '' : `event: ${type}\n`
  const numbered = id === undefined ? '' : `id: ${id}\n`
  const back = retry === undefined ? '' : `retry: ${retry}\n`
  return `${named}${numbered}${back}data: ${oneLineEach(data)}\n\n`
}

/** Envelopes may hold white space of their sender: each line of it has a field of its own. */
const oneLineEach = (text: string): string =>
  text.includes('\n') || text.includes('\r') ? text.replaceAll(/\r\n|\r|\n/g, '\ndata: ') : text

function noticeEvent(text: string): string {
  const { event: type, reconnect_after_ms: retry } = (JSON.parse(text) as Notice).payload
  return event({ type, retry, data: text })
}

type Notice = { payload: { event: string; reconnect_after_ms?: number } }

/** The position of a message: the bus puts it last. A provisional one has none. */
function positionIn(text: string): string | undefined {
  const end = text.length - '"}}'.length
  const start = text.lastIndexOf('"', end - 1) + 1
  return text.endsWith('"}}') && text.endsWith(POSITION, start) ? text.slice(start, end) : undefined
}
