/**
 * Repairs a value fault by fault, in a copy: a check that stops at the first fault of a value then finds the next one.
 * What a wrong member is replaced with does not matter, as long as it is accepted.
 */
import type { Broken } from './schema-error.ts'

/** A value that is being repaired. */
export type Repair = {
  /** The value with what has been repaired. */
  readonly value: unknown
  /** Repairs what an error reports; false if that is not possible, or was tried before without success. */
  without(error: Broken): boolean
}

/**
 * Values for members that must be there, one of which each of them accepts; `telemetry` is the type of an envelope on
 * which no other field depends. The first is accepted by none: the fault of it says what is expected there.
 */
const substitutes: readonly unknown[] = [
  '',
  'a',
  'arq_a',
  '1.0',
  'telemetry',
  'pm',
  '2026-01-01T00:00:00Z',
  '1-1',
  {},
  1,
  ['a'],
]

type Container = Record<string, unknown>

/** Begins the repair of a value, which itself stays as it is. */
export function repair(original: unknown): Repair {
  const root = { value: original }
  const copies = new Set<unknown>()
  /** The number of substitutes that were tried, by place. */
  const tried = new Map<string, number>()
  /** Places of members that were missing, or are now. */
  const removed = new Set<string>()

  /** The copy of a member that holds others. */
  const copyOf = (container: Container, name: string): Container | undefined => {
    const member = Object.hasOwn(container, name) ? container[name] : undefined
    if (typeof member !== 'object' || member === null) return undefined
    if (copies.has(member)) return member as Container
    const copy = (Array.isArray(member) ? [...member] : { ...member }) as Container
    copies.add(copy)
    container[name] = copy
    return copy
  }

  return {
    get value() {
      return root.value
    },
    without(error) {
      const steps = stepsOf(error)
      const name = steps.pop()
      if (name === undefined) return false
      let container: Container | undefined = copyOf(root, 'value')
      const place = [...steps, name].join('/')
      for (const step of steps) container = container && copyOf(container, step)
      if (container === undefined) return false
      const count = tried.get(place) ?? 0
      const isThere = Object.hasOwn(container, name)
      // Of a value of another type, the form of a text is not known yet.
      const isAsked = error.keyword === 'type' && count === 0
      if (isThere && !isAsked && !removed.has(place) && !Array.isArray(container)) {
        delete container[name]
        removed.add(place)
        return true
      }
      if (count === substitutes.length) return false
      container[name] = substitutes[count]
      if (!isThere) removed.add(place)
      tried.set(place, count + 1)
      return true
    },
  }
}

/** The names on the way to what an error is about. */
function stepsOf({ instancePath, params }: Broken): string[] {
  const steps = instancePath.split('/').slice(1)
  const { missingProperty, additionalProperty } = params as Record<string, string | undefined>
  const last = missingProperty ?? additionalProperty
  const names = steps.map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'))
  return last === undefined ? names : [...names, last]
}
