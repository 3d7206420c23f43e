/**
 * The events of sockets, as the runtime reports them: a handler gets those of connections that are open, and a failure
 * of it ends one connection only.
 */

import { type CloseName, type CodedError, closeCodes } from '@arqonbus/protocol'
import type { Server } from 'bun'
import { Refused } from '../connections/refused.ts'
import type { Maybe } from '../kit/maybe.ts'
import { shownName } from '../kit/text.ts'
import { endedByPeer, endedByServer } from '../state/ending.ts'
import type { Transport } from '../state/transport.ts'
import type { IsCompressed } from './compression.ts'
import type { Topics } from './port-topics.ts'
import type { PortDeps, PortOptions, Socket, SocketData, SocketHandler } from './socket-handler.ts'
import { BunTransport } from './socket-transport.ts'
import type { Upgrades } from './upgrade.ts'

/** What the events of sockets need beside the handler. */
type EventDeps<Arrival, Connection> = {
  readonly sockets: Set<Socket<Arrival, Connection>>
  readonly upgrades: Upgrades
  readonly topics: Topics<Server<SocketData<Arrival, Connection>>>
  readonly isCompressed: IsCompressed
  readonly options: PortOptions
  readonly deps: PortDeps
}

/** Creates the handlers of the runtime's events. */
export function createSocketEvents<Arrival, Connection>(
  handler: SocketHandler<Arrival, Connection>,
  { sockets, upgrades, topics, isCompressed, options, deps }: EventDeps<Arrival, Connection>,
) {
  const { metrics, logger } = deps
  const { log } = options.names
  type Opened = Socket<Arrival, Connection>

  const close = (socket: Opened, name: CloseName, why?: string) => {
    const { code, reason } = closeCodes[name]
    socket.data.ending ??= endedByServer(name)
    socket.close(code, why ?? reason)
  }
  const end = (socket: Opened, name: 'internal' | 'restarting') => {
    metrics.closed(name)
    close(socket, name)
  }
  /** Whatever else fails here is the end of one connection, and of nothing else. */
  const fail = (socket: Opened, problem: unknown) => {
    const stack = problem instanceof Error ? problem.stack : String(problem)
    logger.error({ event: 'internal_error', ...log, code: 'internal_error', address: socket.data.address, stack })
    end(socket, 'internal')
  }
  const turnAway = (socket: Opened, { error, reason, close: name }: Refused) => {
    const { address, origin } = socket.data
    metrics.refuseConnection(reason)
    const about = { reason, code: error.code, close_code: closeCodes[name].code, address, origin }
    logger.info({ event: 'connection_refused', ...log, ...about, ...shownDetails(error) })
    socket.sendText(deps.frames.error({ requestId: null }, error))
    // A page whose script shows no frame before the welcome may show the close.
    close(socket, name, name === 'forbidden' ? error.message : undefined)
  }
  const refuse = (socket: Opened, problem: unknown) => {
    if (problem instanceof Refused) turnAway(socket, problem)
    else fail(socket, problem)
  }
  const letIn = (socket: Opened, arrival: Arrival, transport: Transport) => {
    try {
      socket.data.arrival = undefined
      socket.data.connection = handler.open(arrival, transport)
    } catch (problem) {
      refuse(socket, problem)
    }
  }
  /** Asks the handler, which may have to wait: for a key, for a store, or for the first frame. */
  const prepare = (socket: Opened, arrival: Arrival, transport: Transport): Maybe<Arrival> | undefined => {
    const firstFrame = () =>
      new Promise<string | Buffer>((take, fail) => {
        socket.data.first = { take, fail, transport }
      })
    try {
      return handler.prepare === undefined ? arrival : handler.prepare(arrival, firstFrame)
    } catch (problem) {
      refuse(socket, problem)
      return undefined
    }
  }
  const letInAfter = async (prepared: Promise<Arrival>, socket: Opened, transport: Transport) => {
    const early: (string | Buffer)[] = []
    socket.data.early = early
    if (socket.data.first === undefined) transport.pause()
    const outcome = await prepared.then(
      (arrival) => ({ arrival }),
      (problem: unknown) => ({ problem }),
    )
    socket.data.early = undefined
    socket.data.first = undefined
    // It may have ended meanwhile, and so may this server.
    if (!sockets.has(socket)) return
    if (deps.isDraining()) return end(socket, 'restarting')
    if ('problem' in outcome) return refuse(socket, outcome.problem)
    letIn(socket, outcome.arrival, transport)
    transport.resume()
    for (const frame of early) message(socket, frame)
  }
  const message = (socket: Opened, frame: string | Buffer) => {
    const { connection, early, first } = socket.data
    if (first !== undefined) {
      socket.data.first = undefined
      first.transport.pause()
      return first.take(frame)
    }
    if (connection === undefined) return void early?.push(frame)
    try {
      handler.message(connection, frame)
    } catch (problem) {
      fail(socket, problem)
    }
  }
  const alive = ({ data: { connection } }: Opened) => {
    if (connection !== undefined) handler.alive(connection)
  }

  return {
    open(socket: Opened) {
      sockets.add(socket)
      const { address, arrival, peer, server } = socket.data
      socket.data.uncount = upgrades.add(address)
      if (arrival === undefined || arrival instanceof Refused) return refuse(socket, arrival)
      const transport = new BunTransport({ socket, server, peer, metrics, topics, isCompressed })
      const prepared = prepare(socket, arrival, transport)
      if (prepared instanceof Promise) void letInAfter(prepared, socket, transport)
      else if (prepared !== undefined) letIn(socket, prepared, transport)
    },
    message,
    drain({ data: { connection } }: Opened) {
      if (connection !== undefined) handler.writable(connection)
    },
    ping: alive,
    pong: alive,
    close(socket: Opened, code: number, reason: string) {
      sockets.delete(socket)
      const { uncount, connection, ending, first } = socket.data
      uncount()
      first?.fail(new Error('the connection has ended'))
      if (connection !== undefined) handler.close(connection, ending ?? endedByPeer(code, reason))
    },
  }
}

/** What a line says of a refusal: which parameter, host or id it is about, and which setting decides. */
function shownDetails({ code, details = {} }: CodedError) {
  const { host, client_id } = details
  const parameter = typeof details.parameter === 'string' ? shownName(details.parameter) : undefined
  const setting = code === 'unauthenticated' && details.reason === undefined ? 'ARQONBUS_ADMIN_KEY' : details.setting
  return { parameter, host, client_id, setting }
}
