/** Roles: what the token of a connection or a call makes of its client (docs/protocol.md#connecting). */
import { CodedError } from '@arqonbus/protocol'
import type { Role } from './identity.ts'

/** The role that a token gives; `unauthenticated` for one that is not known. */
export type RoleOf = (token: string | undefined) => Role

/** Gives the role admin for the admin key, and the role user without a token. */
export const createRoleOf =
  (isAdminKey: (key: string) => boolean): RoleOf =>
  (token) => {
    if (token === undefined) return 'user'
    if (!isAdminKey(token)) throw new CodedError('unauthenticated')
    return 'admin'
  }
