import type { Socket } from 'bun'
import { createHistogram, type Histogram } from './histogram.ts'

/** Publishes by HTTP: each kept-alive connection has one call in flight, and sends the next after the response. */
export interface CallPlan {
  url: string
  connections: number
  /** The number of channels. A connection always uses the same one, chosen by its number. */
  channels: number
  /** The length of the text in a payload. */
  bytes: number
}

/** The load, and the proof that each call was answered once, with 201 and its own position. */
export interface CallLoad {
  /** Microseconds from sending to response. */
  readonly latency: Histogram
  start(): Promise<void>
  /** Stops sending calls. */
  stop(): void
  sent(): number
  acknowledged(): number
  /** The highest position number of each channel. */
  heads(): readonly number[]
  /** Responses other than that of a new message; the first few of them. */
  readonly surprises: readonly string[]
  audit(): { unacknowledged: number; misnumbered: number; surprises: number; closed: number }
}

/** The channel with this number, as a command names it. */
export const channelOf = (channel: number): string => `calls-${channel}`

interface Caller {
  index: number
  channel: number
  socket: Socket<Caller>
  /** The request, into which the id is written in place. */
  request: Buffer
  idAt: number
  sent: number
  sentAt: number
  rest: Buffer | undefined
}

const ID_DIGITS = 10

/** Creates the load without connecting. */
export function createCallLoad({ url, connections, channels, bytes }: CallPlan): CallLoad {
  const { hostname, port, host } = new URL(url)
  const latency = createHistogram()
  const surprises: string[] = []
  const heads = new Float64Array(channels)
  const counts = new Float64Array(channels)
  const callers: Caller[] = []
  let running = false
  let surprised = 0
  let closed = 0
  let acknowledged = 0

  const call = (caller: Caller) => {
    caller.request.write(String(caller.sent++).padStart(ID_DIGITS, '0'), caller.idAt, 'latin1')
    caller.sentAt = Bun.nanoseconds()
    caller.socket.write(caller.request)
  }

  const answered = (caller: Caller, answer: Buffer) => {
    const n = positionIn(answer)
    latency.record((Bun.nanoseconds() - caller.sentAt) / 1000)
    if (!answer.subarray(0, CREATED.length).equals(CREATED) || n === 0) {
      surprised++
      if (surprises.length < 10) surprises.push(answer.toString('utf8'))
    } else {
      acknowledged++
      counts[caller.channel]!++
      heads[caller.channel] = Math.max(heads[caller.channel]!, n)
    }
    if (running) call(caller)
  }

  const socket: Bun.SocketHandler<Caller> = {
    data(socket, chunk) {
      const caller = socket.data
      const answer = caller.rest === undefined ? chunk : Buffer.concat([caller.rest, chunk])
      if (!isWhole(answer)) {
        caller.rest = Buffer.from(answer)
        return
      }
      caller.rest = undefined
      answered(caller, answer)
    },
    close() {
      closed++
    },
  }

  return {
    latency,
    surprises,
    async start() {
      running = true
      for (let index = 0; index < connections; index++) {
        const channel = index % channels
        const { request, idAt } = requestOf(host, index, channel, bytes)
        const caller: Caller = { index, channel, request, idAt, sent: 0, sentAt: 0, rest: undefined } as never
        caller.socket = await Bun.connect({ hostname, port: Number(port), data: caller, socket })
        callers.push(caller)
      }
      for (const caller of callers) call(caller)
    },
    stop() {
      running = false
    },
    sent: () => callers.reduce((sum, { sent }) => sum + sent, 0),
    acknowledged: () => acknowledged,
    heads: () => [...heads],
    audit: () => ({
      unacknowledged: callers.reduce((sum, { sent }) => sum + sent, 0) - acknowledged,
      misnumbered: heads.reduce((sum, head, channel) => sum + Math.abs(head - counts[channel]!), 0),
      surprises: surprised,
      closed,
    }),
  }
}

const BODY_END = Buffer.from('}\n')
const CREATED = Buffer.from('HTTP/1.1 201')
const POSITION = Buffer.from('"position":"')
const DASH = 0x2d
const ZERO = 0x30

/** The body is one line of JSON. */
const isWhole = (answer: Buffer): boolean => answer.subarray(-BODY_END.length).equals(BODY_END)

/** A request whose length does not depend on its id. */
function requestOf(host: string, index: number, channel: number, bytes: number) {
  const client = `caller-${index}`
  const body = `{"id":"arq_${client}-${'0'.repeat(ID_DIGITS)}","payload":{"text":"${'x'.repeat(bytes)}"}}`
  const head = [
    `POST /api/v1/rooms/bench/channels/${channelOf(channel)}/messages HTTP/1.1`,
    `Host: ${host}`,
    'Content-Type: application/json',
    `Arqonbus-Client-Id: ${client}`,
    `Content-Length: ${body.length}`,
    '\r\n',
  ].join('\r\n')
  return { request: Buffer.from(head + body, 'latin1'), idAt: head.length + body.indexOf('-0') + 1 }
}

/** The number of the position in a response, 0 if there is none. */
function positionIn(answer: Buffer): number {
  const at = answer.indexOf(POSITION)
  if (at < 0) return 0
  let n = 0
  for (let i = answer.indexOf(DASH, at) + 1; answer[i]! >= ZERO && answer[i]! <= ZERO + 9; i++)
    n = n * 10 + answer[i]! - ZERO
  return n
}
