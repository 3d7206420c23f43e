import { clockTime } from '../kit/text.ts'

/** The time of day; without milliseconds on a narrow page. */
export function Time({ at }: { at: number }) {
  const text = clockTime(at)
  return (
    <time class="time">
      {text.slice(0, 8)}
      <span class="ms">{text.slice(8)}</span>
    </time>
  )
}
