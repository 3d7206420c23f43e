import { useEffect, useRef, useState } from 'preact/hooks'
import uPlot from 'uplot'
import { short } from '../kit/text.ts'
import { readings, type Series, SPAN_SECONDS, series } from '../state/metrics.ts'
import { isDark } from '../theme.ts'

type Name = keyof Series['lines']

/** One line of a plot. */
export type PlotLine = { readonly name: Name; readonly label: string }

const HEIGHT = 150

/** A chart of the last minutes, with the values as text: the current ones, or those under the pointer. */
export function Plot({ title, unit, lines }: { title: string; unit: string; lines: readonly PlotLine[] }) {
  const box = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot | undefined>(undefined)
  const [pointed, setPointed] = useState<number | undefined>(undefined)
  const dark = isDark.value
  const reading = readings.value

  // Another theme has other colours, which are read from the style sheet.
  useEffect(() => {
    const element = box.current
    if (element === null) return
    const made = new uPlot(optionsOf(element, lines, setPointed), dataOf(lines), element)
    plot.current = made
    const observer = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height: HEIGHT }))
    observer.observe(element)
    return () => {
      observer.disconnect()
      made.destroy()
    }
  }, [dark])

  // The arrays are the same objects, extended.
  useEffect(() => plot.current?.setData(dataOf(lines)), [reading])

  const at = pointed ?? series.times.length - 1
  return (
    <figure class="panel plot">
      <figcaption>
        <h3>{title}</h3>
        <ul class="legend" aria-label={`${title}, ${unit}`}>
          {lines.map(({ name, label }, index) => (
            <li key={name}>
              <span class={`swatch line-${index + 1}`} aria-hidden="true" />
              {label} <b>{written(series.lines[name][at])}</b>
            </li>
          ))}
          <li class="unit">{unit}</li>
        </ul>
      </figcaption>
      <div class="plot-box" ref={box} aria-hidden="true" />
    </figure>
  )
}

/** The available data fill the width, once there is a minute of them. */
const spanNow = (): number => Math.min(SPAN_SECONDS, Math.max(60, Date.now() / 1000 - (series.times[0] ?? 0)))

const written = (value: number | null | undefined): string =>
  value === null || value === undefined ? '–' : short(value)

const dataOf = (lines: readonly PlotLine[]): uPlot.AlignedData => [
  series.times,
  ...lines.map(({ name }) => series.lines[name]),
]

function optionsOf(
  element: HTMLElement,
  lines: readonly PlotLine[],
  point: (index: number | undefined) => void,
): uPlot.Options {
  const style = getComputedStyle(element)
  const color = (name: string) => style.getPropertyValue(name).trim()
  const grid = { stroke: color('--plot-grid'), width: 1 }
  const axis = { stroke: color('--plot-text'), font: '11px system-ui, sans-serif', grid, ticks: { ...grid, size: 4 } }
  return {
    width: element.clientWidth,
    height: HEIGHT,
    padding: [8, 8, 0, 0],
    legend: { show: false },
    cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
    scales: {
      x: { time: true, range: () => [Date.now() / 1000 - spanNow(), Date.now() / 1000] },
      y: { range: (_, __, max) => [0, Number.isFinite(max) && max > 0 ? max * 1.15 : 1] },
    },
    axes: [
      { ...axis, size: 24, space: 70 },
      { ...axis, size: 46, values: (_, values) => values.map((value) => short(value)) },
    ],
    series: [
      {},
      ...lines.map((_, index) => ({
        stroke: color(`--line-${index + 1}`),
        width: 1.5,
        spanGaps: false,
        points: { show: false },
      })),
    ],
    hooks: { setCursor: [({ cursor }) => point(cursor.idx ?? undefined)] },
  }
}
