/**
 * All faults of a value in one refusal, so that its sender can correct them at once
 * (docs/protocol.md#replies-and-errors).
 */
import type { Fault } from './schema-error.ts'

/** A refusal lists no more faults than this. */
export const MOST_FAULTS = 16

/**
 * Returns the faults of a value, one for each place and at most `most` (`MOST_FAULTS`); none if it is valid. For more
 * than one the value is copied and checked again and again: of a large one, only the first is asked for.
 */
export type FaultsOf = (value: unknown, most?: number) => readonly Fault[]

/** What a refusal says of faults: the first one and, if there are several, the list of all. */
export type FaultDetails = Fault & { readonly faults?: readonly Fault[] }

/** Details of a refusal for at least one fault. A second fault in one place is left out. */
export function faultDetails(faults: readonly [Fault, ...Fault[]]): FaultDetails {
  const places = new Map<string, Fault>()
  for (const fault of faults) if (!places.has(fault.path)) places.set(fault.path, fault)
  const listed = [...places.values()].slice(0, MOST_FAULTS)
  return listed.length === 1 ? faults[0] : { ...faults[0], faults: listed }
}

/** The faults that the details of a refusal list; none if the refusal is about no place. */
export function faultsIn({ path, expected, faults }: Readonly<Record<string, unknown>>): readonly Fault[] {
  if (Array.isArray(faults)) return faults as readonly Fault[]
  return typeof path === 'string' && typeof expected === 'string' ? [{ path, expected }] : []
}

/** The same faults, in a value that is the member of another one at `path`. */
export const faultsAt = (path: string, faults: readonly Fault[]): readonly Fault[] =>
  faults.map((fault) => ({ path: path + fault.path, expected: fault.expected }))

/** True if there is at least one. */
export const areAny = (faults: readonly Fault[]): faults is readonly [Fault, ...Fault[]] => faults.length > 0
