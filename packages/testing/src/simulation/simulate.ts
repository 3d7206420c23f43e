/**
 * A whole bus and its clients in one run that chance leads: everything that happens comes from one seed, so that the
 * same seed gives the same run. What it was promised is checked at the end.
 */
import { type Every, startServer, testConfig } from '@arqonbus/server'
import { check, type Seen, type Violation } from '../checker.ts'
import { testClock } from '../clock.ts'
import { readMetric } from '../metrics.ts'
import { createRandom } from '../random.ts'
import { createSlowLog } from '../slow-log.ts'
import { createNetwork } from './network.ts'
import { createPlayer, type World } from './player.ts'

/** What a run is made of. */
export type SimulationOptions = {
  readonly seed: number
  /** `slow`: the log answers later, in steps that chance takes, and fails now and then. */
  readonly log: 'memory' | 'slow'
  /** Things that happen before everybody comes to rest. */
  readonly steps: number
}

/** What came of it. */
export type SimulationResult = {
  readonly violations: readonly Violation[]
  readonly history: readonly Seen[]
  /** How often what happened. */
  readonly counts: ReadonlyMap<string, number>
}

const SECRET = 'green:secret'
const MEMBERS = ['ann', 'bob', 'cyd']
const world: World = {
  rooms: ['red', 'blue', 'green'],
  channels: ['red:one', 'red:two', 'blue:one', 'blue:two', 'green:open', SECRET],
  passing: 'red:passing',
  players: [...MEMBERS, 'dan', 'eve', 'fay', 'gus'],
  mayRead: (player, channel) => channel !== SECRET || MEMBERS.includes(player),
}

/** After so many rounds without rest something goes in circles. */
const MOST_ROUNDS = 10_000

/** Runs it. */
export async function simulate({ seed, log, steps }: SimulationOptions): Promise<SimulationResult> {
  const random = createRandom(seed)
  const clock = testClock()
  const network = createNetwork()
  const slow = log === 'slow' ? createSlowLog({ recent: random.pick([0, 1, 5, 30]) }) : undefined
  const tasks = new Set<() => void>()
  const every: Every = (_ms, task) => {
    tasks.add(task)
    return () => void tasks.delete(task)
  }
  const server = await startServer({
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
    every,
    ...(slow !== undefined && { log: slow.forBus }),
  })

  const history: Seen[] = []
  const counts = new Map<string, number>()
  const count = (what: string) => counts.set(what, (counts.get(what) ?? 0) + 1)
  const players = world.players.map((id) =>
    createPlayer({
      id,
      echo: random.chance(75),
      random,
      network,
      world,
      count,
      see: (seen) => history.push({ ...seen, at: history.length }),
    }),
  )
  const turn = () => new Promise((resolve) => setImmediate(resolve))
  const tick = () => {
    for (const task of tasks) task()
  }
  /** Lets everything come to its end. */
  const rest = async (isDone: () => boolean) => {
    for (let quiet = 0, rounds = 0; quiet < 2; rounds++) {
      if (rounds > MOST_ROUNDS) throw new Error('it does not come to rest')
      let hasMoved = false
      while (network.step(random)) hasMoved = true
      await slow?.settle()
      tick()
      await turn()
      quiet = hasMoved || !isDone() ? 0 : quiet + 1
    }
  }

  for (let step = 0; step < steps; step++) {
    const dice = random.below(100)
    if (dice < 22) random.pick(players).act()
    else if (dice < 80) network.step(random)
    else if (dice < 97) slow?.step(random)
    else if (dice < 98) clock.advance(random.below(20))
    else if (dice < 99) tick()
    else if (slow !== undefined && random.chance(50))
      slow.failNext(random.pick(['refused', 'unknown, stored', 'unknown, not stored']))
    else if (slow !== undefined) slow.isDeaf = random.chance(20)
    await turn()
  }
  if (slow !== undefined) slow.isDeaf = false
  await rest(() => {
    for (const player of players) player.comeBack()
    return players.every((player) => player.isSettled)
  })
  // A subscriber learns that a channel is gone before its next message at the latest.
  players[0]!.say(world.passing)
  await rest(() => true)
  for (const channel of [...world.channels, world.passing, ...world.rooms.map((room) => `${room}:*`)])
    players[0]!.readHistory(channel)
  for (const player of players) player.readHistory(`inbox:${player.id}`)
  await rest(() => true)
  const violations = check(history, { mayRead: world.mayRead })
  counts.set('fell behind', await readMetric(server.httpUrl, 'arqonbus_slow_fallbacks_total'))

  for (const player of players) player.hangUp()
  await rest(() => true)
  for (const gauge of ['arqonbus_subscriptions', 'arqonbus_connections_catching_up', 'arqonbus_connections']) {
    const left = await readMetric(server.httpUrl, gauge)
    if (left !== 0) throw new Error(`everybody has gone, and ${gauge} is ${left}`)
  }
  await server.drain('end of the simulation')
  return { violations, history, counts }
}
