/** The schemas in the form that other programs understand. */
import { timestampPattern } from './timestamp.ts'

/**
 * Converts the format `timestamp` of our checker, which other programs do not know, into a pattern that checks the form.
 * It is no `date-time`: that format allows RFC 3339 only, and clients may write all of ISO 8601.
 */
export function portable(schema: unknown): unknown {
  if (typeof schema !== 'object' || schema === null) return schema
  if (Array.isArray(schema)) return schema.map(portable)
  const { format, ...rest } = schema as Record<string, unknown>
  const other = Object.fromEntries(Object.entries(rest).map(([key, value]) => [key, portable(value)]))
  return format === 'timestamp'
    ? { ...other, pattern: `^${timestampPattern}$` }
    : { ...other, ...(format !== undefined && { format }) }
}
