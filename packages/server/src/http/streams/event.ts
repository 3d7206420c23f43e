/**
 * Server-sent events: how an envelope looks as one (https://html.spec.whatwg.org/multipage/server-sent-events.html).
 */
import type { ParsedEnvelope } from '@arqonbus/protocol'

/** Where every delivered envelope says what it is: its keys have one order. */
const head =
  /\{"version":"[^"]*","id":"[^"]*","type":"(?<type>[a-z_]+)","room":"(?<room>[^"]*)","channel":"(?<channel>[^"]*)"/y

const POSITION = '"position":"'

/** The fields of an event. */
type EventFields = {
  type?: string | undefined
  id?: string | undefined
  /** When to come back, in milliseconds. */
  retry?: number | undefined
  data: string
}

/**
 * A delivered envelope as an event. A message of a channel has its position as the id, from which a stream continues; a
 * notice of the bus has its name as the type.
 */
export class Delivered {
  /** The address of a message that has a position. */
  readonly address: string | undefined
  readonly #fields: EventFields
  #text: string | undefined

  constructor(envelope: string) {
    head.lastIndex = 0
    const { type, room, channel } = head.exec(envelope)!.groups as Head
    const isOfChannel = type === 'event' && channel !== '*'
    const id = isOfChannel ? positionIn(envelope) : undefined
    this.address = id === undefined ? undefined : `${room}:${channel}`
    this.#fields = type === 'system' ? noticeOf(envelope) : { id, data: envelope }
  }

  /** The text, encoded once for all streams of one channel. */
  get text(): string {
    this.#text ??= event(this.#fields)
    return this.#text
  }

  /** The text for a stream of several channels, where it has an id: one made of the address and the position. */
  textWith(idOf: (address: string, position: string) => string): string {
    const { id } = this.#fields
    return id === undefined ? this.text : event({ ...this.#fields, id: idOf(this.address!, id) })
  }
}

/** The text of an event. */
export function event({ type, id, retry, data }: EventFields): string {
  const named = type === undefined ? '' : `event: ${type}\n`
  const numbered = id === undefined ? '' : `id: ${id}\n`
  const back = retry === undefined ? '' : retryField(retry)
  return `${named}${numbered}${back}data: ${oneLineEach(data)}\n\n`
}

/** The first field of the next event: when to reconnect, in milliseconds. */
export const retryField = (retry: number): string => `retry: ${retry}\n`

/** Envelopes may hold white space of their sender: each line of it has a field of its own. */
const oneLineEach = (text: string): string =>
  text.includes('\n') || text.includes('\r') ? text.replaceAll(/\r\n|\r|\n/g, '\ndata: ') : text

type Head = Pick<ParsedEnvelope, 'type' | 'room' | 'channel'>

function noticeOf(text: string): EventFields {
  const { event: type, reconnect_after_ms: retry } = (JSON.parse(text) as Notice).payload
  return { type, retry, data: text }
}

type Notice = { payload: { event: string; reconnect_after_ms?: number } }

/** The position of a message: the bus puts it last. A provisional one has none. */
function positionIn(text: string): string | undefined {
  const end = text.length - '"}}'.length
  const start = text.lastIndexOf('"', end - 1) + 1
  return text.endsWith('"}}') && text.endsWith(POSITION, start) ? text.slice(start, end) : undefined
}
