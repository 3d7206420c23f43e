import type { Bar, Figures, Scenario } from '../scenarios/scenario.ts'

/** The result of a scenario over all its rounds. */
export interface Outcome {
  scenario: string
  title: string
  sides: SideOutcome[]
  /** For each figure that both sides have: the median of the ratios of the rounds. */
  ratios: Figures
  verdicts: Verdict[]
}

export interface SideOutcome {
  name: string
  median: Figures
  rounds: Figures[]
}

export interface Verdict {
  figure: string
  bar: string
  value: number
  pass: boolean
}

/** `rounds[side][round]`; the sides take turns, so the figures of one round belong together. */
export function outcomeOf(scenario: Scenario, rounds: readonly Figures[][]): Outcome {
  const sides = scenario.sides.map(({ name }, side) => ({
    name,
    rounds: rounds[side]!,
    median: medians(rounds[side]!),
  }))
  const [judged, yardstick] = sides
  const ratios =
    yardstick === undefined
      ? {}
      : medians(judged!.rounds.map((figures, round) => ratiosOf(figures, yardstick.rounds[round]!)))
  return {
    scenario: scenario.name,
    title: scenario.title,
    sides,
    ratios,
    verdicts: scenario.bars.map((bar) => judge(bar, judged!, ratios)),
  }
}

/**
 * A ratio is judged as the table shows it, with two decimals, because the noise exceeds the third. Counts of
 * faults are judged by their worst round: a message lost once is lost.
 */
function judge(bar: Bar, judged: SideOutcome, ratios: Figures): Verdict {
  const { figure } = bar
  if ('ratioMax' in bar) {
    const value = Math.round((ratios[figure] ?? Number.NaN) * 100) / 100
    return { figure, bar: `≤ ${bar.ratioMax.toFixed(2)} ×`, value, pass: value <= bar.ratioMax }
  }
  if ('min' in bar) {
    const value = Math.min(...judged.rounds.map((figures) => figures[figure]!))
    return { figure, bar: `≥ ${bar.min}`, value, pass: value >= bar.min }
  }
  const value = bar.max === 0 ? Math.max(...judged.rounds.map((figures) => figures[figure]!)) : judged.median[figure]!
  return { figure, bar: bar.max === 0 ? 'none' : `≤ ${bar.max}`, value, pass: value <= bar.max }
}

function ratiosOf(judged: Figures, yardstick: Figures): Figures {
  const shared = Object.keys(judged).filter((figure) => yardstick[figure] !== undefined && yardstick[figure] !== 0)
  return Object.fromEntries(shared.map((figure) => [figure, judged[figure]! / yardstick[figure]!]))
}

function medians(rounds: readonly Figures[]): Figures {
  const figures = Object.keys(rounds[0]!)
  return Object.fromEntries(figures.map((figure) => [figure, median(rounds.map((round) => round[figure]!))]))
}

function median(values: number[]): number {
  const sorted = values.filter((value) => value !== undefined).sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}
