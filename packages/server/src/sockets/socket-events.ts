/**
 * The events of sockets, as the runtime reports them: a handler gets those of connections that are open, and a failure
 * of it ends one connection only.
 */
import { type CloseName, type CodedError, closeCodes } from '@arqonbus/protocol'
import { Refused } from '../connections/refused.ts'
import { shownName } from '../kit/text.ts'
import { endedByPeer, endedByServer } from '../state/ending.ts'
import type { PublishToTopic, Transport } from '../state/transport.ts'
import type { PortDeps, PortOptions, Socket, SocketHandler } from './socket-handler.ts'
import { BunTransport } from './socket-transport.ts'
import type { Upgrades } from './upgrade.ts'

/** What the events of sockets need beside the handler. */
type EventDeps<Arrival, Connection> = {
  readonly sockets: Set<Socket<Arrival, Connection>>
  readonly upgrades: Upgrades
  readonly publish: PublishToTopic
  /** Some subscriber of a topic did not take a text at once. */
  readonly late: (topic: string, text: string) => void
  readonly options: PortOptions
  readonly deps: PortDeps
}

/** Creates the handlers of the runtime's events. */
export function createSocketEvents<Arrival, Connection>(
  handler: SocketHandler<Arrival, Connection>,
  { sockets, upgrades, publish, late, options, deps }: EventDeps<Arrival, Connection>,
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
  const letIn = (socket: Opened, arrival: Arrival, transport: Transport) => {
    try {
      socket.data.connection = handler.open(arrival, transport)
    } catch (problem) {
      if (problem instanceof Refused) turnAway(socket, problem)
      else fail(socket, problem)
    }
  }
  const letInAfter = async (prepared: Promise<void>, socket: Opened, arrival: Arrival, transport: Transport) => {
    const early: (string | Buffer)[] = []
    socket.data.early = early
    transport.pause()
    const problem = await prepared.then(
      () => undefined,
      (failed: unknown) => failed,
    )
    socket.data.early = undefined
    // It may have ended meanwhile, and so may this server.
    if (!sockets.has(socket)) return
    if (deps.isDraining()) return end(socket, 'restarting')
    if (problem instanceof Refused) return turnAway(socket, problem)
    if (problem !== undefined) return fail(socket, problem)
    letIn(socket, arrival, transport)
    transport.resume()
    for (const frame of early) message(socket, frame)
  }
  const message = (socket: Opened, frame: string | Buffer) => {
    const { connection, early } = socket.data
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
      const { address, arrival, peer } = socket.data
      socket.data.uncount = upgrades.add(address)
      if (arrival instanceof Refused) return turnAway(socket, arrival)
      const transport = new BunTransport({ socket, peer, metrics, publish, late })
      const prepared = handler.prepare?.(arrival)
      if (prepared === undefined) letIn(socket, arrival, transport)
      else void letInAfter(prepared, socket, arrival, transport)
    },
    message,
    drain({ data: { connection } }: Opened) {
      if (connection !== undefined) handler.writable(connection)
    },
    ping: alive,
    pong: alive,
    close(socket: Opened, code: number, reason: string) {
      sockets.delete(socket)
      const { uncount, connection, ending } = socket.data
      uncount()
      if (connection !== undefined) handler.close(connection, ending ?? endedByPeer(code, reason))
    },
  }
}

/** What a line says of a refusal: which parameter, host or id it is about, and which setting decides. */
function shownDetails({ code, details = {} }: CodedError) {
  const { host, client_id } = details
  const parameter = typeof details.parameter === 'string' ? shownName(details.parameter) : undefined
  const setting = code === 'unauthenticated' ? 'ARQONBUS_ADMIN_KEY' : details.setting
  return { parameter, host, client_id, setting }
}
