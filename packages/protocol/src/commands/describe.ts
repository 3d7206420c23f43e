/** The declaration of a command as data, for clients that read it at run time. */
import type { CommandInfo } from '../entities.ts'
import { portable } from '../to-json-schema.ts'
import type { CommandShape } from './shape.ts'

/** Describes a command. `rate` is that of each of the commands that are limited in rate; null if it is off. */
export const describeCommand = (
  shape: CommandShape,
  rate: { readonly perSecond: number; readonly burst: number } | null,
): CommandInfo => ({
  name: shape.name,
  description: [shape.summary, ...shape.notes].join(' '),
  parameters: portable(shape.parameters) as Record<string, unknown>,
  response_format: shape.response_format,
  requires_admin: shape.requires_admin,
  channel_scope: shape.channel_scope,
  needs_connection: shape.needs_connection,
  ...(shape.rate_limited && rate !== null && { rate_limit: { per_second: rate.perSecond, burst: rate.burst } }),
  errors: [...shape.errors],
})
