import { clockTime, fullTime } from '../kit/text.ts'

/** The time of day with milliseconds; the date and zone in its tooltip. */
export function Time({ at }: { at: number }) {
  return (
    <time class="time" title={fullTime(at)}>
      {clockTime(at)}
    </time>
  )
}
