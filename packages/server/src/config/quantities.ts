/** Kinds that measure: integers, durations, sizes, rates. */
import { type Kind, kind } from './kind.ts'

/** A rate of a token bucket: so many a second in the long run, so many at once. */
export type Rate = { readonly perSecond: number; readonly burst: number }

type Bounds = { min: number; max: number }

const wholeNumber = /^-?[0-9]{1,16}$/

/** A whole number between two bounds, both included. */
export function integer({ min, max }: Bounds): Kind<number> {
  const read = (raw: unknown) => {
    const value = typeof raw === 'string' && wholeNumber.test(raw.trim()) ? Number(raw) : raw
    return typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max ? value : undefined
  }
  return kind('number', `a whole number from ${min} to ${max}`, read)
}

/** A TCP port; 0 lets the system choose. */
export const port: Kind<number> = {
  ...integer({ min: 0, max: 65535 }),
  name: 'port',
  accepts: 'a port from 0 to 65535 (0: a free one)',
}

const durationUnits = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000, ms: 1 } as const
const durationForm = /^(?:[0-9]+(?:\.[0-9]+)?(?:ms|s|m|h|d))+$/
const durationPart = /([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)/gy

/** A duration in milliseconds. It must name its unit, because a bare `60` is ambiguous; only `0` may go without. */
export function duration({ min, max }: { min: string; max: string }): Kind<number> {
  const least = milliseconds(min)!
  const most = milliseconds(max)!
  const read = (raw: unknown) => {
    const value = raw === 0 ? 0 : typeof raw === 'string' ? milliseconds(raw.trim()) : undefined
    return value !== undefined && value >= least && value <= most ? value : undefined
  }
  return kind(
    'duration',
    `a duration with its unit (500ms, 10s, 2m, 24h, 7d) from ${min} to ${max}`,
    read,
    durationText,
  )
}

function milliseconds(text: string): number | undefined {
  if (text === '0') return 0
  if (!durationForm.test(text)) return undefined
  let total = 0
  for (const [, amount, unit] of text.matchAll(durationPart)) {
    total += Number(amount) * durationUnits[unit as keyof typeof durationUnits]
  }
  const rounded = Math.round(total)
  return Math.abs(rounded - total) < 1e-6 ? rounded : undefined
}

/** Milliseconds in the largest unit that needs no fraction. */
export function durationText(ms: number): string {
  if (ms === 0) return '0s'
  for (const [unit, size] of Object.entries(durationUnits)) {
    if (ms % size === 0) return `${ms / size}${unit}`
  }
  return `${ms}ms`
}

const sizeUnits = new Map([
  ['', 1],
  ['B', 1],
  ['KiB', 1024],
  ['MiB', 1024 ** 2],
  ['GiB', 1024 ** 3],
  ['KB', 1000],
  ['MB', 1000 ** 2],
  ['GB', 1000 ** 3],
])
const anyCase = new Map([...sizeUnits].map(([unit, factor]) => [unit.toLowerCase(), factor]))
const sizeForm = /^([0-9]+(?:\.[0-9]+)?) ?([a-z]*)$/i

/** A size in bytes; a bare number is bytes. */
export function size({ min, max }: { min: string; max: string }): Kind<number> {
  const least = bytes(min)!
  const most = bytes(max)!
  const read = (raw: unknown) => {
    const value = typeof raw === 'number' ? raw : typeof raw === 'string' ? bytes(raw.trim()) : undefined
    return value !== undefined && Number.isInteger(value) && value >= least && value <= most ? value : undefined
  }
  return kind('size', `a size (bytes, or 256KiB, 1MiB, 2GiB) from ${min} to ${max}`, read, sizeText)
}

function bytes(text: string): number | undefined {
  const [, amount, unit] = sizeForm.exec(text) ?? []
  const factor = unit === undefined ? undefined : anyCase.get(unit.toLowerCase())
  return amount === undefined || factor === undefined ? undefined : Number(amount) * factor
}

/** Bytes in the largest binary unit that needs no fraction. */
export function sizeText(value: number): string {
  for (const unit of ['GiB', 'MiB', 'KiB']) {
    const factor = sizeUnits.get(unit)!
    if (value > 0 && value % factor === 0) return `${value / factor}${unit}`
  }
  return String(value)
}

const rateForm = /^([0-9]+(?:\.[0-9]+)?)\/(s|m)(?:, ?([0-9]+))?$/
const MAX_RATE = 1_000_000

/** A rate `<count>/s,<burst>`, or null for `off`. Without a burst it is what two seconds bring. */
export const rate: Kind<Rate | null> = {
  name: 'rate',
  accepts: 'a rate such as 1000/s,2000 (a thousand a second, two thousand at once; also /m), or off',
  read(raw) {
    if (raw === 'off' || raw === false) return { value: null }
    const [, count, unit, most] = typeof raw === 'string' ? (rateForm.exec(raw.trim()) ?? []) : []
    const perSecond = Number(count) / (unit === 'm' ? 60 : 1)
    const burst = most === undefined ? Math.max(1, Math.ceil(perSecond * 2)) : Number(most)
    const fits = perSecond > 0 && perSecond <= MAX_RATE && burst >= 1 && burst <= MAX_RATE * 2
    return fits ? { value: { perSecond, burst } } : {}
  },
  text(value) {
    if (value === null) return 'off'
    const whole = Number.isInteger(value.perSecond)
    return `${whole ? value.perSecond : Number((value.perSecond * 60).toFixed(6))}/${whole ? 's' : 'm'},${value.burst}`
  },
}
