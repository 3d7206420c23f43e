import type { SeriesName } from '@arqonbus/protocol'
import { useState } from 'preact/hooks'
import { HEIGHT, pathOf, roundUp, WIDTH } from '../kit/plot.ts'
import { series } from '../state/series.ts'

/** A value of a chart as text, with its unit. */
export type Write = (value: number) => string

type ChartProps = {
  readonly title: string
  /** What the values are, such as `per second`. */
  readonly label: string
  readonly name: SeriesName
  readonly write: Write
  readonly tone?: 'accent' | 'warn'
  /** Other words for the legend, such as the parts of the last value. */
  readonly legend?: preact.ComponentChildren
  readonly class?: string
}

/** The last 15 minutes of one figure. The legend has the current value, or that under the pointer. */
export function Chart({ title, label, name, write, tone = 'accent', legend, class: more = '' }: ChartProps) {
  const [pointed, setPointed] = useState<number | undefined>(undefined)
  const all = series.value
  const values = all?.series[name] ?? []
  const isKnown = values.some((value) => value !== null)
  const most = roundUp(Math.max(2, ...values.map((value) => value ?? 0)))
  const at = pointed === undefined ? values.length - 1 : Math.round(pointed * (values.length - 1))
  const value = values[at]
  const until = Date.parse(all?.until ?? '')
  const timeAt = (index: number) => clock(until - (values.length - 1 - index) * (all?.every_ms ?? 0))
  const written = value === null || value === undefined ? '–' : write(value)

  function point(event: PointerEvent): void {
    const box = (event.currentTarget as Element).getBoundingClientRect()
    setPointed(Math.max(0, Math.min(1, (event.clientX - box.left) / box.width)))
  }

  return (
    <figure class={`panel chart-panel ${more}`}>
      <header>
        <h2>{title}</h2>
        <span class={`legend tone-${tone}`}>
          <span>
            <i />
            {label} <b>{written}</b>
            {pointed !== undefined && <> at {timeAt(at)}</>}
          </span>
          {legend}
        </span>
      </header>
      <div class="chart">
        <svg
          viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
          preserveAspectRatio="none"
          role="img"
          aria-label={`${title}, last 15 minutes: ${label} ${written}`}
          onPointerMove={point}
          onPointerLeave={() => setPointed(undefined)}
        >
          <path class="rule" d={`M0 0H${WIDTH}${isKnown ? `M0 ${HEIGHT / 2}H${WIDTH}` : ''}M0 ${HEIGHT}H${WIDTH}`} />
          <path class={`area tone-${tone}`} d={pathOf(values, most, true)} />
          <path class={`curve tone-${tone}`} d={pathOf(values, most, false)} />
          {pointed !== undefined && <path class="cursor" d={`M${pointed * WIDTH} 0V${HEIGHT}`} />}
        </svg>
        <div class="y" aria-hidden="true">
          {isKnown && [most, most / 2, 0].map((value) => <span key={value}>{write(value)}</span>)}
        </div>
        {all !== undefined && !isKnown && (
          <p class="small first">The first value comes within {all.every_ms / 1000} s.</p>
        )}
        <div class="x" aria-hidden="true">
          <span>{values.length === 0 ? '' : timeAt(0)}</span>
          <span>{values.length === 0 ? '' : timeAt(values.length - 1)}</span>
        </div>
      </div>
    </figure>
  )
}

/** The last 15 minutes of one figure, without axes. */
export function Spark({ name }: { name: SeriesName }) {
  const values = series.value?.series[name] ?? []
  const most = Math.max(0, ...values.map((value) => value ?? 0)) * 1.1 || 1
  return (
    <svg class="spark" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
      <path class="area tone-accent" d={pathOf(values, most, true)} />
      <path class="curve tone-accent" d={pathOf(values, most, false)} />
    </svg>
  )
}

const clock = (at: number): string =>
  Number.isNaN(at) ? '' : new Date(at).toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' })
