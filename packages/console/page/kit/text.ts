const whole = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 })

/** `12,345` */
export const count = (value: number): string => whole.format(value)

/** A rate or a duration, rounded to meaningful digits. */
export function short(value: number): string {
  if (value === 0) return '0'
  if (Math.abs(value) >= 100) return whole.format(value)
  return String(Number(value.toPrecision(value >= 10 ? 3 : 2)))
}

/** A size in bytes, in a suitable unit. */
export function bytes(value: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let at = 0
  for (; value >= 1024 && at < units.length - 1; at++) value /= 1024
  return `${short(value)} ${units[at]}`
}

/** Seconds as `3 d 4 h`, `4 h 5 min`, `5 min 6 s` or `6 s`. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds))
  const parts: [number, string][] = [
    [Math.floor(whole / 86_400), 'd'],
    [Math.floor(whole / 3600) % 24, 'h'],
    [Math.floor(whole / 60) % 60, 'min'],
    [whole % 60, 's'],
  ]
  const first = parts.findIndex(([value]) => value > 0)
  if (first < 0) return '0 s'
  return parts
    .slice(first, first + 2)
    .filter(([value]) => value > 0)
    .map(([value, unit]) => `${value} ${unit}`)
    .join(' ')
}

/** `12:34:56.789` for an ISO timestamp or for milliseconds, in the time zone of the browser. */
export function clockTime(at: string | number): string {
  const date = new Date(at)
  if (Number.isNaN(date.getTime())) return String(at)
  const two = (value: number) => String(value).padStart(2, '0')
  const ms = String(date.getMilliseconds()).padStart(3, '0')
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${ms}`
}

/** `1 channel`, `2 channels` */
export const counted = (value: number, one: string, many = `${one}s`): string =>
  `${count(value)} ${value === 1 ? one : many}`

/** `12.3k`, `1.24 M`: a number in a narrow place. */
export function brief(value: number): string {
  if (Math.abs(value) >= 999_500) return `${short(value / 1_000_000)} M`
  return Math.abs(value) >= 10_000 ? `${short(value / 1000)}k` : short(value)
}

/** `12:34:56`, in the time zone of the browser. */
export const timeOfDay = (at: string | number): string => clockTime(at).slice(0, 8)

const full = new Intl.DateTimeFormat('en-GB', {
  day: 'numeric',
  month: 'short',
  year: 'numeric',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  fractionalSecondDigits: 3,
  timeZoneName: 'short',
})

/** `30 Nov 2026, 14:02:47.114 UTC`, in the time zone of the browser. */
export function fullTime(at: string | number): string {
  const date = new Date(at)
  return Number.isNaN(date.getTime()) ? String(at) : full.format(date)
}

/** `14:02:47` of today, or `28 Nov` of another day. */
export function since(at: string, now: number): string {
  const date = new Date(at)
  if (date.toDateString() === new Date(now).toDateString()) return timeOfDay(at)
  return date.toLocaleDateString('en-GB', { day: 'numeric', month: 'short' })
}

/** `12.3k/s` */
export const perSecond = (value: number): string => `${brief(value)}/s`
/** `41 %`, of a share from 0 to 1. */
export const percent = (share: number): string => `${short(share * 100)} %`
/** `3.2 ms` */
export const ms = (value: number): string => `${short(value)} ms`
