/**
 * A test client that hides nothing: it sends valid and invalid frames, and keeps every received frame until a test
 * takes it. Tests await events; nothing sleeps.
 */
import {
  type CommandName,
  type CommandParameters,
  type CommandResult,
  type DeliveredEnvelope,
  type ErrorBody,
  newId,
  type PublishResult,
  type Welcome,
} from '@arqonbus/protocol'

/** Options of a connection. */
export type ConnectOptions = {
  /** The query of the upgrade: `client_id`, `join` (one or several) and so on. */
  query?: Record<string, string | readonly string[]>
  headers?: Record<string, string>
  protocols?: string[]
  /** What of TLS is not as usual, such as the authority to trust. */
  tls?: Bun.TLSOptions
}

/** Any frame from the bus. */
export type Frame = DeliveredEnvelope

/** How a connection ended. */
export type Closed = { code: number; reason: string }

/** The fields of an envelope that differ from the defaults. */
export type Publish = Partial<Omit<Frame, 'metadata'>> & { metadata?: Record<string, unknown> }

/** A reply with an error. */
export class RefusedError extends Error {
  constructor(readonly error: ErrorBody) {
    super(`${error.code}: ${error.message} ${JSON.stringify(error.details ?? {})}`)
  }
}

/** Resolves to the error of an attempt that must be refused; fails if it succeeds. */
export async function refusal(attempt: Promise<unknown>): Promise<ErrorBody> {
  const outcome = await attempt.catch((error: unknown) => error)
  if (outcome instanceof RefusedError) return outcome.error
  throw outcome instanceof Error ? outcome : new Error(`nothing was refused: ${JSON.stringify(outcome)}`)
}

/** The text of every received frame. */
const texts = new WeakMap<Frame, string>()

/** A frame's text, byte for byte. */
export const textOf = (frame: Frame): string => texts.get(frame)!

/** A connected client. */
export type TestClient = {
  readonly id: string
  readonly welcome: Welcome
  readonly socket: WebSocket
  /** Ends with the connection. */
  readonly closed: Promise<Closed>
  /** Received frames that no test has taken yet, oldest first. */
  readonly frames: Frame[]
  /** Sends a text unchanged. */
  raw(text: string | Uint8Array<ArrayBuffer>): void
  /** Sends an envelope with default fields and `fields`; returns its id. */
  send(fields: Publish): string
  /** Publishes with `ack` and waits for the reply; throws `RefusedError`. */
  publish(fields: Publish): Promise<PublishResult>
  /** Runs a command and waits for its result; throws `RefusedError`. */
  command<Name extends CommandName>(
    name: Name,
    parameters?: CommandParameters<Name>,
    fields?: Publish,
  ): Promise<CommandResult<Name>>
  /** Takes the first frame that fits, now or when it arrives. Fails if the connection ends before. */
  next(fits?: (frame: Frame) => boolean): Promise<Frame>
  /** Takes the reply to a frame, by the id of the frame. */
  answer(id: string | null): Promise<Record<string, unknown> & { status: string; error?: ErrorBody; result?: unknown }>
  /** Waits until everything that the bus has sent so far has arrived (by a ping), and takes the messages. */
  messages(): Promise<Frame[]>
  /** The same, including notices and replies that no test has taken. */
  everything(): Promise<Frame[]>
  close(): Promise<Closed>
}

/** True for messages between clients. */
export const isMessage = (frame: Frame): boolean =>
  frame.type === 'event' || frame.type === 'private' || frame.type === 'telemetry'

/** Connects; throws if the bus sends no welcome. */
export async function connect(url: string, options: ConnectOptions = {}): Promise<TestClient> {
  const opened = open(url, options)
  const welcome = await opened.next((frame) => (frame.payload as { event?: string }).event === 'welcome')
  return { ...opened.bind((welcome.payload as Welcome).client.client_id), welcome: welcome.payload as Welcome }
}

/** Opens a connection without waiting for a welcome, for tests that expect none. */
export function open(url: string, { query = {}, headers, protocols, tls }: ConnectOptions = {}) {
  const target = new URL(url)
  for (const [key, values] of Object.entries(query))
    for (const value of [values].flat()) target.searchParams.append(key, value)
  const socket = new WebSocket(target, {
    ...(headers && { headers }),
    ...(protocols && { protocols }),
    ...(tls && { tls }),
  } as Bun.WebSocketOptions)
  const frames: Frame[] = []
  const waiting: { fits: (frame: Frame) => boolean; take: (frame: Frame) => void; fail: (error: Error) => void }[] = []
  let ended: Closed | undefined

  socket.addEventListener('message', ({ data }) => {
    const frame = JSON.parse(String(data)) as Frame
    texts.set(frame, String(data))
    const at = waiting.findIndex((one) => one.fits(frame))
    if (at < 0) frames.push(frame)
    else waiting.splice(at, 1)[0]!.take(frame)
  })
  const closed = new Promise<Closed>((resolve) => {
    socket.addEventListener('close', ({ code, reason }) => {
      ended = { code, reason }
      for (const one of waiting.splice(0))
        one.fail(new Error(`closed with ${code} ${reason} while waiting for a frame`))
      resolve(ended)
    })
  })
  const next: TestClient['next'] = (fits = () => true) => {
    const at = frames.findIndex(fits)
    if (at >= 0) return Promise.resolve(frames.splice(at, 1)[0]!)
    if (ended !== undefined) return Promise.reject(new Error(`the connection had ended with ${ended.code}`))
    return new Promise((take, fail) => waiting.push({ fits, take, fail }))
  }
  const answer: TestClient['answer'] = async (id) => {
    const frame = await next((one) => one.type === 'command_response' && one.payload.request_id === id)
    return frame.payload as Awaited<ReturnType<TestClient['answer']>>
  }
  const result = async (id: string) => {
    const { error, result } = await answer(id)
    if (error !== undefined) throw new RefusedError(error)
    return result
  }
  const bind = (id: string): Omit<TestClient, 'welcome'> => {
    const send = (fields: Publish) => {
      const envelope = {
        version: '1.0',
        id: newId(),
        type: 'event',
        room: fields.type === 'private' ? 'arqonbus' : 'science',
        channel: 'general',
        from: id,
        timestamp: new Date().toISOString(),
        payload: {},
        ...fields,
      }
      socket.send(JSON.stringify(envelope))
      return envelope.id
    }
    const command: TestClient['command'] = async (name, parameters, fields) =>
      (await result(
        send({ type: 'command', payload: { name, ...(parameters && { parameters }) }, ...fields }),
      )) as never
    return {
      id,
      socket,
      closed,
      frames,
      raw: (text) => socket.send(text),
      send,
      publish: async (fields) =>
        (await result(send({ ...fields, metadata: { ack: true, ...fields.metadata } }))) as PublishResult,
      command,
      next,
      answer,
      async messages() {
        await command('ping')
        const found = frames.filter(isMessage)
        for (const frame of found) frames.splice(frames.indexOf(frame), 1)
        return found
      },
      async everything() {
        await command('ping')
        return frames.splice(0)
      },
      close() {
        socket.close(1000)
        return closed
      },
    }
  }
  return { socket, frames, closed, next, answer, bind }
}
