/** Calls of the HTTP API, as a service makes them. */

/** The response to a call. */
export type Answered = {
  status: number
  headers: Headers
  // biome-ignore lint/suspicious/noExplicitAny: tests read any field of a body
  body: any
}

/** Options that differ from the defaults. */
export type CallOptions = { method?: string; body?: string | Uint8Array; headers?: Record<string, string> }

/** Creates a function that calls one bus: `await call('/status')`. Paths are below `/api/v1`. */
export const caller =
  (httpUrl: string) =>
  async (path: string, { method, body, headers = {} }: CallOptions = {}): Promise<Answered> => {
    const response = await fetch(`${httpUrl}/api/v1${path}`, {
      method: method ?? (body === undefined ? 'GET' : 'POST'),
      headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
      ...(body !== undefined && { body }),
    })
    const text = await response.text()
    return { status: response.status, headers: response.headers, body: text === '' ? undefined : JSON.parse(text) }
  }

/** The path for publishing and reading the messages of a channel. */
export const messagesOf = (room: string, channel: string): string => `/rooms/${room}/channels/${channel}/messages`

/** The header that identifies the caller. */
export const as = (clientId: string): Record<string, string> => ({ 'arqonbus-client-id': clientId })

/** One event of a stream. */
export type StreamEvent = { event: string; id: string | undefined; data: string; retry: string | undefined }

/** A stream that is read event by event. */
export type Stream = {
  status: number
  headers: Headers
  /** The next event; undefined if the stream has ended. Comments are skipped. */
  next(): Promise<StreamEvent | undefined>
  /** The next event of that type; others are skipped. */
  nextOf(event: string): Promise<StreamEvent>
  /** Closes the connection. */
  close(): void
}

/** The path of the stream of a channel. */
export function streamOf(channel: string): string {
  const [room, name] = channel.split(':') as [string, string]
  return `/rooms/${room}/channels/${name}/stream`
}

/** The path of the stream of several channels. */
export const streamOfAll = (...channels: readonly string[]): string =>
  `/stream?${channels.map((channel) => `channel=${channel}`).join('&')}`

/** The header of a browser that reads events. */
export const EVENTS: Record<string, string> = { accept: 'text/event-stream' }

/** Opens the stream of a channel. */
export const openStream = (
  httpUrl: string,
  channel: string,
  headers: Record<string, string> = {},
  query = '',
): Promise<Stream> => openStreamAt(httpUrl, streamOf(channel) + query, headers)

/** Opens a stream by its path below `/api/v1`. */
export async function openStreamAt(
  httpUrl: string,
  path: string,
  headers: Record<string, string> = {},
): Promise<Stream> {
  const abort = new AbortController()
  const response = await fetch(`${httpUrl}/api/v1${path}`, { headers, signal: abort.signal })
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
  let text = ''
  const next = async (): Promise<StreamEvent | undefined> => {
    for (;;) {
      const end = text.indexOf('\n\n')
      if (end < 0) {
        const { value, done } = await reader.read()
        if (done) return undefined
        text += value
        continue
      }
      const block = text.slice(0, end)
      text = text.slice(end + 2)
      const event = readEvent(block)
      if (event !== undefined) return event
    }
  }
  return {
    status: response.status,
    headers: response.headers,
    next,
    async nextOf(type) {
      for (;;) {
        const event = await next()
        if (event === undefined) throw new Error(`the stream ended without ${type}`)
        if (event.event === type) return event
      }
    },
    close: () => abort.abort(),
  }
}

/** Parses one event as a browser does; undefined for comments. */
function readEvent(block: string): StreamEvent | undefined {
  const fields = block.split('\n').filter((line) => !line.startsWith(':'))
  if (fields.length === 0) return undefined
  const all = (name: string) =>
    fields.filter((line) => line.startsWith(`${name}: `)).map((line) => line.slice(name.length + 2))
  return { event: all('event')[0] ?? 'message', id: all('id')[0], data: all('data').join('\n'), retry: all('retry')[0] }
}
