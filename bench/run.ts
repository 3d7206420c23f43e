/** `npm run bench`: runs the same loads against the bus and the bare server in turn, and prints the results. */
import { parseArgs } from 'node:util'
import type { Span } from './load/window.ts'
import { type Outcome, outcomeOf } from './report/outcome.ts'
import { keep, resultsOf } from './report/results.ts'
import { tableOf } from './report/table.ts'
import { scenarios } from './scenarios/index.ts'
import type { Figures, Scenario, Side } from './scenarios/scenario.ts'
import { chromiumMissing } from './servers/chromium.ts'
import { redisMissing } from './servers/redis.ts'
import { loadCore, onCore } from './servers/server.ts'

const usage = `npm run bench -- [--only NAME[,NAME]] [--rounds N] [--seconds S] [--warm S] [--list]

  --only     only these loads; --list names them
  --rounds   how often the sides take turns where a load does not say (5)
  --seconds  how long a round counts where a load does not say (4)
  --warm     how long it runs before it counts (5): the compiler of the runtime takes as long to settle

Exit code 0: every target was reached; 1: one was not; 2: a load could not be run.`

interface Options {
  chosen: readonly Scenario[]
  rounds: number | undefined
  seconds: number | undefined
  warmSeconds: number | undefined
}

const usual = { rounds: 5, seconds: 4, warmSeconds: 5 }

process.exitCode = await bench(options())

async function bench({ chosen, rounds, seconds, warmSeconds }: Options): Promise<number> {
  const outcomes: Outcome[] = []
  const broken: string[] = []
  for (const scenario of chosen) {
    const span = {
      seconds: seconds ?? scenario.span?.seconds ?? usual.seconds,
      warmSeconds: warmSeconds ?? scenario.span?.warmSeconds ?? usual.warmSeconds,
    }
    try {
      const missing =
        (scenario.needsRedis ? redisMissing() : undefined) ?? (scenario.needsChromium ? chromiumMissing() : undefined)
      if (missing !== undefined) throw new Error(missing)
      const outcome = outcomeOf(scenario, await inTurn(scenario, rounds ?? scenario.rounds ?? usual.rounds, span))
      console.log(`${tableOf(outcome)}\n`)
      outcomes.push(outcome)
    } catch (error) {
      console.log(`${scenario.title}  (${scenario.name})\n  could not be run: ${(error as Error).message}\n`)
      broken.push(scenario.name)
    }
  }
  const given = {
    rounds: rounds ?? usual.rounds,
    seconds: seconds ?? usual.seconds,
    warmSeconds: warmSeconds ?? usual.warmSeconds,
  }
  console.log(`Written to ${keep(resultsOf(given, outcomes))}`)
  const missed = outcomes.flatMap(({ scenario, verdicts }) =>
    verdicts
      .filter(({ pass }) => !pass)
      .map(({ figure, value, target }) => `${scenario}: ${figure} ${value}, target ${target}`),
  )
  if (missed.length > 0) console.log(`Targets missed:\n  ${missed.join('\n  ')}`)
  if (broken.length > 0) console.log(`Could not be run: ${broken.join(', ')}`)
  if (missed.length + broken.length === 0) console.log('Every target was reached.')
  return broken.length > 0 ? 2 : missed.length > 0 ? 1 : 0
}

/** Runs the sides in turn (A B A B …), so that drift of the machine affects both alike. */
async function inTurn(scenario: Scenario, rounds: number, span: Span): Promise<Figures[][]> {
  const figures: Figures[][] = scenario.sides.map(() => [])
  for (let round = 0; round < rounds; round++) {
    for (const [index, side] of scenario.sides.entries()) figures[index]!.push(await oneRound(scenario, side, span))
  }
  return figures
}

async function oneRound(scenario: Scenario, side: Side, span: Span): Promise<Figures> {
  const program = new URL('load/main.ts', import.meta.url).pathname
  const call = [process.execPath, program, scenario.name, side.name, String(span.warmSeconds), String(span.seconds)]
  const child = Bun.spawn(onCore(loadCore, call), { stdout: 'pipe', stderr: 'inherit' })
  const printed = await new Response(child.stdout).text()
  if ((await child.exited) !== 0) throw new Error(`the load against ${side.name} failed`)
  return JSON.parse(printed)
}

function options(): Options {
  const { values } = parseArgs({
    options: {
      only: { type: 'string' },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      warm: { type: 'string' },
      list: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  })
  if (values.help) stop(usage, 0)
  if (values.list) stop(scenarios.map(({ name, title }) => `${name.padEnd(16)}${title}`).join('\n'), 0)
  const names = values.only?.split(',')
  const unknown = names?.filter((name) => !scenarios.some((scenario) => scenario.name === name)) ?? []
  if (unknown.length > 0) stop(`there is no load ${unknown.join(', ')}; --list prints the names`, 2)
  return {
    chosen: names === undefined ? scenarios : scenarios.filter(({ name }) => names.includes(name)),
    rounds: positive('rounds', values.rounds),
    seconds: positive('seconds', values.seconds),
    warmSeconds: positive('warm', values.warm),
  }
}

function positive(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const value = Number(text)
  if (!(value > 0) || (name === 'rounds' && !Number.isInteger(value))) stop(`--${name}: must be a number above 0`, 2)
  return value
}

function stop(text: string, code: number): never {
  console.log(text)
  process.exit(code)
}
