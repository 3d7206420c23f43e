/**
 * A whole bus and its clients in one simulation: everything that happens is derived from one seed, so that the same
 * seed gives the same simulation. At the end the checker reads what the clients observed.
 */
import { type RunningServer, startServer, testConfig } from '@arqonbus/server'
import { check, type Observation, type Seen, type Violation } from '../checker.ts'
import { type TestClock, testClock } from '../clock.ts'
import { readMetric } from '../metrics.ts'
import { createRandom, type Random } from '../random.ts'
import { createSlowLog, type SlowLog } from '../slow-log.ts'
import { createNetwork, type Network } from './network.ts'
import { Player } from './player.ts'
import { CLIENT_IDS, MEMBERS, mayRead, PUBLISH_ADDRESSES, TEMPORARY_CHANNEL } from './world.ts'

/** What a simulation is made of. */
export type SimulationOptions = {
  readonly seed: number
  /** `slow`: the log replies later, in random steps, and fails now and then. */
  readonly log: 'memory' | 'slow'
  /** Random steps before all clients recover. */
  readonly steps: number
}

/** What happened in a simulation. */
export type SimulationResult = {
  readonly violations: readonly Violation[]
  readonly history: readonly Seen[]
  /** The number of events, by name. */
  readonly counts: ReadonlyMap<string, number>
}

/** A running simulation. */
type Simulation = {
  readonly random: Random
  readonly clock: TestClock
  readonly network: Network
  /** Undefined: the log is in memory. */
  readonly slow: SlowLog | undefined
  /** The periodic tasks of the server. */
  readonly tasks: Set<() => void>
}

/** More rounds until nothing moves mean that something never ends. */
const MAX_ROUNDS = 10_000

/** Runs a simulation. */
export async function simulate({ seed, log, steps }: SimulationOptions): Promise<SimulationResult> {
  const random = createRandom(seed)
  const slow = log === 'slow' ? createSlowLog({ recent: random.pick([0, 1, 5, 30]) }) : undefined
  const network = createNetwork()
  const simulation = { random, clock: testClock(), network, slow, tasks: new Set<() => void>() }
  const server = await startSimulatedServer(simulation)
  const history: Seen[] = []
  const counts = new Map<string, number>()
  const count = (what: string) => counts.set(what, (counts.get(what) ?? 0) + 1)
  const players = CLIENT_IDS.map((id) => {
    const record = (observation: Observation) => history.push({ process: id, ...observation, at: history.length })
    return new Player({ id, echo: random.chance(75), random, network, count, record })
  })

  for (let step = 0; step < steps; step++) {
    takeStep(simulation, players)
    await turn()
  }
  if (slow !== undefined) slow.isDeaf = false
  await settle(simulation, () => {
    for (const player of players) player.recover()
    return players.every((player) => player.isSettled)
  })
  // A subscriber learns that a channel was deleted before its next message at the latest.
  players[0]!.publishTo(TEMPORARY_CHANNEL)
  await settle(simulation)
  for (const channel of PUBLISH_ADDRESSES) players[0]!.readHistory(channel)
  for (const player of players) player.readHistory()
  await settle(simulation)
  const violations = check(history, { mayRead })
  counts.set('fell behind', await readMetric(server.httpUrl, 'arqonbus_slow_fallbacks_total'))

  for (const player of players) player.close()
  await settle(simulation)
  await checkNothingIsLeft(server)
  await server.drain('end of the simulation')
  return { violations, history, counts }
}

function startSimulatedServer({ random, clock, network, slow, tasks }: Simulation): Promise<RunningServer> {
  return startServer({
    config: testConfig({
      telemetry: false,
      historySize: random.pick([15, 60, 5000]),
      sendBufferSoftLimit: random.pick([32, 70, 150]) * 1024,
      sendBufferHardLimit: 512 * 1024,
      rateLimit: null,
      commandRate: null,
      rooms: [
        {
          name: 'green',
          channels: [{ name: 'open' }, { name: 'secret', type: 'private', metadata: { members: MEMBERS } }],
        },
      ],
    }),
    clock,
    createBusPort: network.createBusPort,
    every(_ms, task) {
      tasks.add(task)
      return () => void tasks.delete(task)
    },
    ...(slow !== undefined && { log: slow.forBus }),
  })
}

/** Takes one random step: of a client, the network, the log, or the time. */
function takeStep(simulation: Simulation, players: readonly Player[]): void {
  const { random, network, slow, clock } = simulation
  const dice = random.below(100)
  if (dice < 22) random.pick(players).act()
  else if (dice < 80) network.step(random)
  else if (dice < 97) slow?.step(random)
  else if (dice < 98) clock.advance(random.below(20))
  else if (dice < 99) runTasks(simulation)
  else if (slow !== undefined && random.chance(50))
    slow.failNext(random.pick(['refused', 'unknown, stored', 'unknown, not stored']))
  else if (slow !== undefined) slow.isDeaf = random.chance(20)
}

/** Takes steps until nothing moves any more and `isDone`. */
async function settle(simulation: Simulation, isDone = () => true): Promise<void> {
  const { random, network, slow } = simulation
  for (let quiet = 0, rounds = 0; quiet < 2; rounds++) {
    if (rounds > MAX_ROUNDS) throw new Error(`the simulation still moves after ${MAX_ROUNDS} rounds`)
    let hasMoved = false
    while (network.step(random)) hasMoved = true
    await slow?.settle()
    runTasks(simulation)
    await turn()
    quiet = hasMoved || !isDone() ? 0 : quiet + 1
  }
}

function runTasks({ tasks }: Simulation): void {
  for (const task of tasks) task()
}

/** A turn of the event loop. */
const turn = () => new Promise((resolve) => setImmediate(resolve))

async function checkNothingIsLeft(server: RunningServer): Promise<void> {
  for (const gauge of ['arqonbus_subscriptions', 'arqonbus_connections_catching_up', 'arqonbus_connections']) {
    const left = await readMetric(server.httpUrl, gauge)
    if (left !== 0) throw new Error(`all clients have disconnected, but ${gauge} is ${left}`)
  }
}
