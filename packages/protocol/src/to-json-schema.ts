/** The schemas in the form that other programs understand. */
import { timestampPattern } from './timestamp.ts'

/**
 * Converts the format `timestamp` of our checker into `date-time`, which other programs know, with a pattern that
 * checks the form.
 */
export function portable(schema: unknown): unknown {
  if (typeof schema !== 'object' || schema === null) return schema
  if (Array.isArray(schema)) return schema.map(portable)
  const { format, ...rest } = schema as Record<string, unknown>
  const other = Object.fromEntries(Object.entries(rest).map(([key, value]) => [key, portable(value)]))
  return format === 'timestamp'
    ? { ...other, format: 'date-time', pattern: `^${timestampPattern}$` }
    : { ...other, ...(format !== undefined && { format }) }
}
