/** Commands about tokens. */
import Type from 'typebox'
import { BusTime } from '../envelope/schema.ts'
import { ClientIdField } from './fields.ts'
import { command, parameters } from './shape.ts'

/** Renews the token of a connection. */
export const authenticate = command('authenticate', {
  summary: 'Replaces the token of the connection by another one of the same subject.',
  notes: [
    'As the first frame of a connection that brought no token it authenticates that connection: then `welcome` is the reply.',
    'Subscriptions that the new token does not permit end with `subscription_ended`.',
  ],
  grant: 'nothing',
  parameters: parameters({
    token: Type.String({ minLength: 1, maxLength: 4096, description: 'The token.' }),
  }),
  result: Type.Object({
    client_id: ClientIdField,
    role: Type.Unsafe<'user' | 'admin'>({
      enum: ['user', 'admin'],
      description: 'The role that the connection has now.',
    }),
    expires_at: Type.Optional(
      Type.Unsafe<string>({ ...BusTime, description: 'When the token expires; absent for the admin key.' }),
    ),
  }),
  needs_connection: true,
  rate_limited: true,
  errors: ['unauthenticated', 'token_expired', 'forbidden', 'auth_unavailable'],
})

const text = (description: string) => Type.Optional(Type.String({ minLength: 1, maxLength: 255, description }))

/** Revokes tokens. */
export const revoke = command('revoke', {
  summary: 'Revokes tokens: none that was issued until now is accepted for this subject, id or client.',
  notes: [
    'One of `sub`, `jti` and `client_id` is needed.',
    'Connections, streams and telemetry subscribers with such a token are closed with 4401 at once, and their sessions end.',
    '`sub` is also whom an agent acts for.',
  ],
  grant: { at: 'bus', actions: ['manage'] },
  parameters: parameters({
    sub: text('The subject.'),
    jti: text('The id of one token.'),
    client_id: Type.Optional({ ...ClientIdField, description: 'The client id.' } as typeof ClientIdField),
  }),
  result: Type.Object({
    sub: text('As given.'),
    jti: text('As given.'),
    client_id: Type.Optional(ClientIdField),
    revoked: Type.Literal(true),
    durable: Type.Boolean({
      description: 'Whether Redis has it. Without Redis a restart of the server forgets it.',
    }),
  }),
  requires_admin: true,
})
