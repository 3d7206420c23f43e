/**
 * A peer over plain TCP that sends anything, valid or not: HTTP heads that never end, frames that no WebSocket library
 * would send; and that can stop reading.
 */
import { connect as connectTcp } from 'node:net'
import { decodeFrame, encodeFrame, type FrameKind, type RawFrame, type ServerFrame } from './raw-frame.ts'

/** How a connection ended: with a close frame, or without one (`code` undefined: reset, or closed by HTTP). */
export type RawEnd = { code: number | undefined; reason: string }

/** The head of an HTTP response. */
export type RawHead = { status: number; headers: Headers }

/** A TCP connection. */
export type RawSocket = {
  /** Sends bytes unchanged. */
  write(bytes: string | Uint8Array): void
  /** Sends a frame. */
  frame(frame: RawFrame): void
  /** The head of the HTTP response. Fails if the connection ends before. */
  head(): Promise<RawHead>
  /** Everything after the head, for responses other than an upgrade. */
  body(): string
  /** Takes the next frame of that kind from the server; leaves others. Fails if the connection ends before. */
  next(kind: FrameKind): Promise<ServerFrame>
  /** The same, for a text frame with JSON in it. */
  nextJson(): Promise<{ type: string; payload: Record<string, unknown> } & Record<string, unknown>>
  /** Stops reading: data from the server fills the buffers. */
  pause(): void
  resume(): void
  /** Bytes that have not left this process yet. */
  readonly unsent: number
  readonly isOpen: boolean
  /** The end of the connection, by either side. */
  readonly ended: Promise<RawEnd>
  /** Ends the connection without a close frame. */
  destroy(): void
}

/** The head of an upgrade request; the defaults are those of a correct client. */
export type UpgradeHead = {
  method?: string
  target?: string
  version?: string
  /** Added to the default headers, or replacing them; undefined omits a header, a list sends it several times. */
  headers?: Record<string, string | readonly string[] | undefined>
}

/** The text of an upgrade request. */
export function upgradeRequest(
  url: string,
  { method = 'GET', target, version = 'HTTP/1.1', headers = {} }: UpgradeHead = {},
): string {
  const { host, pathname, search } = new URL(url)
  const usual = {
    Host: host,
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    'Sec-WebSocket-Version': '13',
  }
  const lines = Object.entries({ ...usual, ...headers }).flatMap(([name, values]) =>
    values === undefined ? [] : [values].flat().map((value) => `${name}: ${value}\r\n`),
  )
  return `${method} ${target ?? pathname + search} ${version}\r\n${lines.join('')}\r\n`
}

/** Connects by TCP and sends nothing. */
export async function dial(url: string): Promise<RawSocket> {
  const { hostname, port } = new URL(url)
  const socket = connectTcp({ host: hostname.replace(/^\[|\]$/g, ''), port: Number(port), noDelay: true })
  let bytes: Buffer = Buffer.alloc(0)
  let head: RawHead | undefined
  let isOpen = true
  let closeFrame: RawEnd | undefined
  const frames: ServerFrame[] = []
  const waiting: { take: () => boolean; fail: (error: Error) => void }[] = []

  const parse = () => {
    if (head === undefined) {
      const end = bytes.indexOf('\r\n\r\n')
      if (end < 0) return
      head = readHead(bytes.subarray(0, end).toString('latin1'))
      bytes = bytes.subarray(end + 4)
    }
    if (head.status !== 101) return
    for (let next = decodeFrame(bytes); next !== undefined; next = decodeFrame(bytes)) {
      bytes = next.rest
      const { frame } = next
      if (frame.kind === 'close') closeFrame = readClose(frame.payload)
      else frames.push(frame)
    }
  }
  const look = () => {
    for (let at = 0; at < waiting.length; ) {
      if (waiting[at]!.take()) waiting.splice(at, 1)
      else at++
    }
  }
  socket.on('data', (chunk: Buffer) => {
    bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk])
    parse()
    look()
  })
  const ended = new Promise<RawEnd>((resolve) => {
    socket.on('close', () => {
      isOpen = false
      const end = closeFrame ?? { code: undefined, reason: '' }
      for (const one of waiting.splice(0)) one.fail(new Error(`the connection ended with ${end.code} ${end.reason}`))
      resolve(end)
    })
  })
  // A reset is one way to end: `ended` reports it.
  socket.on('error', () => {})
  /** Waits until `find` returns a value. */
  const wait = <T>(find: () => T | undefined): Promise<T> => {
    const found = find()
    if (found !== undefined) return Promise.resolve(found)
    if (!isOpen) return Promise.reject(new Error(`the connection had ended with ${closeFrame?.code}`))
    return new Promise((resolve, fail) => {
      const take = () => {
        const later = find()
        if (later === undefined) return false
        resolve(later)
        return true
      }
      waiting.push({ take, fail })
    })
  }
  const next: RawSocket['next'] = (kind) =>
    wait(() => {
      const at = frames.findIndex((frame) => frame.kind === kind)
      return at < 0 ? undefined : frames.splice(at, 1)[0]
    })
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve)
    socket.once('error', reject)
  })
  return {
    write: (data) => void socket.write(data),
    frame: (frame) => void socket.write(encodeFrame(frame)),
    head: () => wait(() => head),
    body: () => bytes.toString('utf8'),
    next,
    nextJson: async () => JSON.parse((await next('text')).payload.toString('utf8')),
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    get unsent() {
      return socket.writableLength
    },
    get isOpen() {
      return isOpen
    },
    ended,
    destroy: () => void socket.destroy(),
  }
}

/** Connects and sends an upgrade request; `head()` resolves to the response. */
export async function openRaw(url: string, head: UpgradeHead = {}): Promise<RawSocket> {
  const socket = await dial(url)
  socket.write(upgradeRequest(url, head))
  return socket
}

function readHead(text: string): RawHead {
  const [start = '', ...lines] = text.split('\r\n')
  const headers = new Headers()
  for (const line of lines) {
    const colon = line.indexOf(':')
    headers.append(line.slice(0, colon), line.slice(colon + 1).trim())
  }
  return { status: Number(start.split(' ')[1]), headers }
}

const readClose = (payload: Buffer): RawEnd => ({
  code: payload.length < 2 ? 1005 : payload.readUInt16BE(0),
  reason: payload.subarray(2).toString('utf8'),
})
