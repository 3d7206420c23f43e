/** How a command looks on the wire: its name, its parameters, its result. */
import Type, { type Static, type TObject, type TProperties, type TSchema } from 'typebox'
import type { ErrorCode } from '../codes.ts'
import type { GrantNeed } from '../grants.ts'

/** One command of the protocol. */
export type CommandShape<Parameters extends TSchema = TSchema, Result extends TSchema = TSchema> = {
  readonly name: string
  /** One sentence: what it does. */
  readonly summary: string
  /** Sentences that a user needs beside the tables. */
  readonly notes: readonly string[]
  /** Who may, in words. */
  readonly who: string
  readonly parameters: Parameters
  readonly result: Result
  /** The name of the JSON Schema of `result`. */
  readonly response_format: string
  /** True where only an admin may, or a client with the grant `manage`. */
  readonly requires_admin: boolean
  /** Which grant it needs, and where. */
  readonly grant: GrantNeed
  /** What its envelope and parameters address: a channel, a room, or nothing. */
  readonly channel_scope: 'channel' | 'room' | 'none'
  /** True where a token bucket for each client bounds it. */
  readonly rate_limited: boolean
  /** True where it changes the connection that sends it: a caller by HTTP has none. */
  readonly needs_connection: boolean
  /** Codes that it may answer with, beside those of every command. */
  readonly errors: readonly ErrorCode[]
}

/** The parameters of a command as a type. */
export type ParametersOf<Shape extends CommandShape> = Static<Shape['parameters']>

/** The result of a command as a type. */
export type ResultOf<Shape extends CommandShape> = Static<Shape['result']>

/** Parameters: no unknown keys, and the admin key that every command takes. */
export function parameters<Fields extends TProperties>(fields: Fields) {
  return Type.Object(
    {
      ...fields,
      admin_key: Type.Optional(
        Type.String({
          maxLength: 1024,
          description: 'The admin key of the bus: raises this one command to the role admin.',
        }),
      ),
    },
    { additionalProperties: false },
  )
}

type Declared<P extends TProperties, R extends TSchema> = {
  summary: string
  notes?: readonly string[]
  who?: string
  parameters: TObject<P>
  result: R
  requires_admin?: boolean
  grant: GrantNeed
  channel_scope?: CommandShape['channel_scope']
  rate_limited?: boolean
  needs_connection?: boolean
  errors?: readonly ErrorCode[]
}

/** Declares a command. */
export function command<Name extends string, P extends TProperties, R extends TSchema>(
  name: Name,
  declared: Declared<P, R>,
) {
  const requiresAdmin = declared.requires_admin ?? false
  return {
    name,
    summary: declared.summary,
    notes: declared.notes ?? [],
    who: declared.who ?? (requiresAdmin ? 'Admins, and clients with the grant `manage`.' : 'Every client.'),
    parameters: declared.parameters,
    result: declared.result,
    response_format: `${name}_result`,
    requires_admin: requiresAdmin,
    grant: declared.grant,
    channel_scope: declared.channel_scope ?? 'none',
    rate_limited: declared.rate_limited ?? false,
    needs_connection: declared.needs_connection ?? false,
    errors: declared.errors ?? [],
  } as const
}
