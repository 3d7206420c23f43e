import type { CommandName } from '@arqonbus/protocol'
import { BUS } from '@arqonbus/protocol/names'
import type { Command } from './commands.ts'
import { ArqonBusError, failure } from './errors.ts'
import { isLongerThan, type Outgoing } from './frames.ts'
import type { Pending, Request } from './pending.ts'
import type { ReconnectLoop } from './reconnect-loop.ts'

/** Options of a command that the client itself sends. */
type AskOptions = {
  timeoutMs?: number | undefined
  /** Whether it is sent again on the next connection. */
  repeatable: boolean
  /** Called in the tick of the reply, before the following frames are read. */
  onResult(result: unknown): void
}

/** Sends every frame of a client. */
export type Requests = {
  /** Sends a frame and waits for its reply. */
  request(request: Request): void
  /** Sends a frame once, without waiting; returns the error if it could not be sent. */
  sendOnce(id: string, frame: string): ArqonBusError | undefined
  ask(name: CommandName, parameters: object, how: AskOptions): Promise<unknown>
  command: Command
  /** Fails every waiting request, and every later one. */
  end(cause: ArqonBusError | undefined): void
}

/** What it needs, and its limits. */
export type RequestsOptions = {
  reconnectLoop: Pick<ReconnectLoop, 'send' | 'bufferedBytes'>
  pending: Pending
  newId(): string
  write(outgoing: Outgoing): string
  /** The frame limit of the bus. */
  maxFrameBytes(): number
  maxBufferedBytes: number
  replyTimeoutMs: number
}

/** Commands that have the same effect sent once or twice: they are sent again after a reconnect. */
const repeatableCommands: ReadonlySet<CommandName> = new Set([
  'ping',
  'status',
  'list_commands',
  'list_rooms',
  'list_channels',
  'list_clients',
  'channel_info',
  'join_channel',
  'leave_channel',
  'history',
  'update_profile',
])

/** Creates the requests of one client. */
export function createRequests(options: RequestsOptions): Requests {
  const { reconnectLoop: link, pending, newId, write } = options
  let ended: { cause: ArqonBusError | undefined } | undefined

  /** Why a frame cannot be sent. Over the limit it would count as a violation, and far over it end the connection. */
  function fault(requestId: string, frame: string): ArqonBusError | undefined {
    if (ended !== undefined) return failure('closed', { requestId, cause: ended.cause })
    const limit = options.maxFrameBytes()
    if (isLongerThan(frame, limit)) return tooLarge(requestId, limit)
    return link.bufferedBytes() > options.maxBufferedBytes ? failure('too_much_waiting', { requestId }) : undefined
  }

  function request(one: Request): void {
    const error = fault(one.id, one.frame)
    if (error === undefined) pending.add(one)
    else one.fail(error)
  }

  const ask: Requests['ask'] = (name, parameters, { timeoutMs = options.replyTimeoutMs, repeatable, onResult }) =>
    new Promise((resolve, reject) => {
      const id = newId()
      const frame = write({ id, type: 'command', room: BUS, channel: 'control', payload: { name, parameters } })
      const succeed = (result: unknown) => {
        onResult(result)
        resolve(result)
      }
      request({ id, frame, kind: 'command', repeatable, timeoutMs, succeed, fail: reject })
    })

  return {
    request,
    sendOnce(id, frame) {
      const error = fault(id, frame)
      if (error !== undefined) return error
      return link.send(frame) ? undefined : failure('not_connected', { requestId: id })
    },
    ask,
    command: ((name, parameters, { timeoutMs } = {}) =>
      ask(name, parameters ?? {}, { timeoutMs, repeatable: repeatableCommands.has(name), onResult() {} })) as Command,
    end(cause) {
      ended = { cause }
      pending.failAll(cause)
    },
  }
}

function tooLarge(requestId: string, limit: number): ArqonBusError {
  const message = `The frame is larger than the message limit of ${limit} bytes.`
  return new ArqonBusError('message_too_large', 413, { message, requestId, details: { limit } })
}
