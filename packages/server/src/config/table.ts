/** Reads values that have parts, such as a room: each fault names the part by its path. */
import { shown } from './kind.ts'

/** A table of a file, or a JSON object. */
export type Table = Record<string, unknown>

/** A table with no other keys than these; undefined, with a fault, for anything else. */
export function table(raw: unknown, path: string, keys: readonly string[], faults: string[]): Table | undefined {
  if (!isTable(raw)) {
    faults.push(`${path} must be a table with ${keys.join(', ')}`)
    return undefined
  }
  for (const key of Object.keys(raw)) {
    if (!keys.includes(key)) faults.push(`${path} has no key ${shown(key)}: it takes ${keys.join(', ')}`)
  }
  return raw
}

/** A table with any keys, which may be missing. */
export function optionalTable(raw: unknown, path: string, faults: string[]): Table | undefined {
  if (raw === undefined) return undefined
  if (isTable(raw)) return raw
  faults.push(`${path} must be a table`)
  return undefined
}

/** A text that is not empty; else an empty one, with a fault. */
export function text(raw: unknown, path: string, faults: string[]): string {
  if (typeof raw === 'string' && raw !== '') return raw
  faults.push(`${path} must be a text`)
  return ''
}

const isTable = (raw: unknown): raw is Table =>
  typeof raw === 'object' && raw !== null && !Array.isArray(raw) && !(raw instanceof Date)
