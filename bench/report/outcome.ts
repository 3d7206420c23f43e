import type { Figures, Scenario, Target } from '../scenarios/scenario.ts'

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
  target: string
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
  const [judged, reference] = sides
  const ratios =
    reference === undefined
      ? {}
      : medians(judged!.rounds.map((figures, round) => ratiosOf(figures, reference.rounds[round]!)))
  return {
    scenario: scenario.name,
    title: scenario.title,
    sides,
    ratios,
    verdicts: scenario.targets.map((target) => judge(target, judged!, ratios)),
  }
}

/**
 * A ratio is judged as the table shows it, with two decimals, because the noise exceeds the third. Counts of
 * faults are judged by their worst round: a message lost once is lost.
 */
function judge(target: Target, judged: SideOutcome, ratios: Figures): Verdict {
  const { figure } = target
  if ('ratioMax' in target) {
    const value = Math.round((ratios[figure] ?? Number.NaN) * 100) / 100
    return { figure, target: `≤ ${target.ratioMax.toFixed(2)} ×`, value, pass: value <= target.ratioMax }
  }
  if ('min' in target) {
    const value = Math.min(...judged.rounds.map((figures) => figures[figure]!))
    return { figure, target: `≥ ${target.min}`, value, pass: value >= target.min }
  }
  const value =
    target.max === 0 ? Math.max(...judged.rounds.map((figures) => figures[figure]!)) : judged.median[figure]!
  return { figure, target: target.max === 0 ? 'none' : `≤ ${target.max}`, value, pass: value <= target.max }
}

function ratiosOf(judged: Figures, reference: Figures): Figures {
  const shared = Object.keys(judged).filter((figure) => reference[figure] !== undefined && reference[figure] !== 0)
  return Object.fromEntries(shared.map((figure) => [figure, judged[figure]! / reference[figure]!]))
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
