/**
 * The load process: runs one scenario against one side once, and prints the figures as one line of JSON.
 * `bench/run.ts` starts it, pinned to its own core. Arguments: scenario, side, warm-up and duration in seconds.
 */
import { scenarios } from '../scenarios/index.ts'

const [scenarioName, sideName, warmSeconds, seconds] = process.argv.slice(2)
const scenario = scenarios.find(({ name }) => name === scenarioName)
const side = scenario?.sides.find(({ name }) => name === sideName)
if (scenario === undefined || side === undefined)
  throw new Error(`there is no load ${scenarioName} with a side ${sideName}`)

const figures = await scenario.measure(side, { warmSeconds: Number(warmSeconds), seconds: Number(seconds) })
console.log(JSON.stringify(figures))
process.exit(0)
