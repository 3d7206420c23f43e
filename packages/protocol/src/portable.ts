/** The schemas as other programs know them. */
import { timestampPattern } from './timestamp.ts'

/** Our checker has a format of its own for timestamps; others know `date-time`, and check the form by the pattern. */
export function portable(schema: unknown): unknown {
  if (typeof schema !== 'object' || schema === null) return schema
  if (Array.isArray(schema)) return schema.map(portable)
  const { format, ...rest } = schema as Record<string, unknown>
  const other = Object.fromEntries(Object.entries(rest).map(([key, value]) => [key, portable(value)]))
  return format === 'timestamp'
    ? { ...other, format: 'date-time', pattern: `^${timestampPattern}$` }
    : { ...other, ...(format !== undefined && { format }) }
}
