import { createAcknowledgedLoad } from '../load/acknowledged.ts'
import { connect, connectMany, hangUp } from '../load/connection.ts'
import { type Audit, createLedger } from '../load/ledger.ts'
import { clientIdOf, createMessageForm, positionNumber } from '../load/message.ts'
import { cpuNanoseconds } from '../load/process-figures.ts'
import { quiet } from '../load/rate.ts'
import { createRequester } from '../load/requester.ts'
import { startBusOn, startPinnedRedis } from '../servers/redis.ts'
import { busEndpoint, type Server } from '../servers/server.ts'
import { lossless, type Scenario, type Side } from './scenario.ts'

/**
 * A client that lacks 100,000 messages joins with the position before the first of them and receives all. With
 * Redis, another server process accepted the messages, so that none of them is in the memory of the measured one.
 */
const messages = 100_000
const publishers = 50
const channel = 'bench:ch00'
const settings = { ARQONBUS_HISTORY_SIZE: '200000', ARQONBUS_DEDUP_BYTES: '1GiB' }

const fromRedis: Side = { name: 'from Redis', server: 'bus', redis: 'everysec' }
const fromMemory: Side = { name: 'from memory', server: 'bus' }

export const redisRecovery: Scenario = {
  name: 'redis-recovery',
  title: 'one client recovers 100,000 messages',
  sides: [fromRedis, fromMemory],
  needsRedis: true,
  targets: [{ figure: 'recoveredPerSecond', min: 50_000 }, ...lossless],
  rounds: 3,
  async measure(side, span) {
    await using redis = side.redis === undefined ? undefined : await startPinnedRedis(side.redis)
    const filled = await startBusOn(redis, settings)
    const birth = await birthOf(filled)
    await fill(filled, redis === undefined ? 'memory' : 'stored')
    if (redis !== undefined) await filled.stop()
    const server = redis === undefined ? filled : await startBusOn(redis, settings)

    const first = await recover(server, birth)
    const faults: Audit & { surprises: number } = { ...first.faults }
    const again = async (seconds: number) => {
      let [took, cpu, turns] = [0, 0, 0]
      for (const until = Bun.nanoseconds() + seconds * 1e9; Bun.nanoseconds() < until || turns === 0; turns++) {
        const one = await recover(server, birth)
        took += one.tookNs
        cpu += one.serverNs
        for (const fault of faultNames) faults[fault] += one.faults[fault]
      }
      return {
        perSecond: (turns * messages * 1e9) / took,
        cpuUs: cpu / turns / messages / 1000,
        busy: (cpu / took) * 100,
      }
    }
    await again(span.warmSeconds)
    const { perSecond, cpuUs, busy } = await again(span.seconds)
    await server.stop()
    return {
      recoveredPerSecond: perSecond,
      firstRecoveredPerSecond: (messages * 1e9) / first.tookNs,
      cpuPerDeliveryUs: cpuUs,
      serverBusyPercent: busy,
      ...faults,
    }
  },
}

const faultNames = ['lost', 'doubled', 'misnumbered', 'damaged', 'closed', 'surprises'] as const

/** The position before the first message of the channel. */
async function birthOf(server: Server): Promise<string> {
  const connection = await connect(busEndpoint(server.endpoint.url, []), 0, 'first', { text: () => {} })
  const { result } = await createRequester(connection).request('join_channel', { channel })
  await hangUp([connection])
  return result.position
}

async function fill(server: Server, level: string): Promise<void> {
  const load = createAcknowledgedLoad({ publishers, inFlight: 8, channels: 1, level, each: messages / publishers })
  const endpoint = busEndpoint(server.endpoint.url, [])
  const connections = await connectMany(publishers, publishers, (index) =>
    connect(endpoint, index, clientIdOf(index), load.listener),
  )
  load.start(connections)
  await quiet(load)
  const { otherLevel, ...audit } = load.audit()
  if (otherLevel > 0) throw new Error(`${otherLevel} messages were not acknowledged as ${level}`)
  if (load.acknowledged() !== messages || Object.values(audit).some((count) => count > 0)) {
    throw new Error(`the history could not be filled: ${JSON.stringify({ ...audit, surprises: load.surprises })}`)
  }
  await hangUp(connections)
}

interface Recovery {
  /** From sending the join to the last message. */
  tookNs: number
  /** The CPU time of the server. */
  serverNs: number
  faults: Audit & { surprises: number }
}

async function recover(server: Server, since: string): Promise<Recovery> {
  const form = createMessageForm({ bytes: 250, filling: 'text', ack: true })
  const ledger = createLedger(1, publishers)
  const connection = await connect(busEndpoint(server.endpoint.url, []), 0, 'behind', { text: () => {} })
  const { request } = createRequester(connection)
  const answers = connection.listener
  let surprises = 0
  const arrived = Promise.withResolvers<void>()
  connection.listener = {
    text(_, bytes, start, end) {
      if (!form.isMessage(bytes, start)) {
        // Gap notices above all: no client here may need one.
        if (!bytes.subarray(start, end).includes('"type":"command_response"')) surprises++
        return answers.text(connection, bytes, start, end)
      }
      const sequence = form.sequence(bytes, start)
      ledger.delivered(0, form.publisher(bytes, start), sequence)
      ledger.numbered(0, positionNumber(bytes, end))
      if (sequence % 64 === 0 && !form.payloadIntact(bytes, start)) ledger.damaged()
      if (ledger.total() === messages) arrived.resolve()
    },
    closed() {
      ledger.closed()
      arrived.resolve()
      answers.closed?.(connection)
    },
  }
  const start = { atNs: Bun.nanoseconds(), serverNs: cpuNanoseconds(server.pid) }
  const { result } = await request('join_channel', { channel, since })
  if (result.recovered !== true) throw new Error(`not recovered: ${JSON.stringify(result)}`)
  await Promise.race([arrived.promise, standstill(ledger.total)])
  const end = { atNs: Bun.nanoseconds(), serverNs: cpuNanoseconds(server.pid) }
  await hangUp([connection])
  const audit = ledger.audit(new Array(publishers).fill(messages / publishers))
  return { tookNs: end.atNs - start.atNs, serverNs: end.serverNs - start.serverNs, faults: { ...audit, surprises } }
}

/** Waits until two seconds pass without a message: missing messages are lost. */
async function standstill(total: () => number): Promise<void> {
  for (let seen = -1, quietMs = 0; quietMs < 2000 && total() < messages; quietMs += 50) {
    if (total() !== seen) quietMs = 0
    seen = total()
    await Bun.sleep(50)
  }
}
