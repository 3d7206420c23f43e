import { shownAs, written } from './figures.ts'
import type { Outcome, Verdict } from './outcome.ts'

const labelWidth = 40

/** Formats one scenario: a row per figure, with the target and the verdict if it has one. */
export function tableOf(outcome: Outcome): string {
  const [judged, reference] = outcome.sides
  const faults = outcome.verdicts.filter(({ target }) => target === 'none')
  const figures = Object.keys(judged!.median).filter((figure) => !faults.some((fault) => fault.figure === figure))
  const rows = [
    ['', judged!.name, reference?.name ?? '', reference === undefined ? '' : 'ratio', 'target', ''],
    ...figures.map((figure) => {
      const verdict = outcome.verdicts.find((one) => one.figure === figure)
      const ratio = outcome.ratios[figure]
      return [
        shownAs(figure).label,
        written(figure, judged!.median[figure]),
        written(figure, reference?.median[figure]),
        ratio === undefined ? '' : `${ratio.toFixed(2)} ×`,
        verdict?.target ?? '',
        verdict === undefined ? '' : mark(verdict.pass),
      ]
    }),
    ...(faults.length > 0 ? [faultRow(faults)] : []),
  ]
  return [`${outcome.title}  (${outcome.scenario})`, ...aligned(rows), ...remarks(outcome)].join('\n')
}

/** All counts of faults in one row; those above 0 are named. */
function faultRow(faults: Verdict[]): string[] {
  const found = faults.filter(({ pass }) => !pass)
  const named = (found.length > 0 ? found : faults).map(({ figure }) => figure).join(', ')
  return [named, found.map(({ value }) => value).join(', ') || '0', '', '', 'none', mark(found.length === 0)]
}

/** Remarks if something other than the server was the bottleneck of a closed loop: the figures then measure that. */
function remarks({ sides }: Outcome): string[] {
  return sides.flatMap(({ name, median }) => {
    const { serverBusyPercent = 0, loadBusyPercent = 0, redisBusyPercent = 0 } = median
    if (loadBusyPercent > Math.max(90, serverBusyPercent)) {
      return [`! against ${name} the load was the bottleneck: the figures are not reliable`]
    }
    const together = loadBusyPercent + redisBusyPercent
    if (median.serverBusyPercent === undefined || redisBusyPercent === 0 || together < Math.max(95, serverBusyPercent))
      return []
    return [
      `! against ${name} Redis and the load needed ${together.toFixed(0)} % of a core: if they share one, it was the bottleneck`,
    ]
  })
}

function mark(pass: boolean): string {
  return pass ? 'pass' : 'FAIL'
}

function aligned(rows: string[][]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  widths[0] = Math.max(widths[0]!, labelWidth)
  const line = (row: string[]) =>
    row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!))).join('  ')
  return rows.map((row) => `  ${line(row)}`.trimEnd())
}
