/** Roles: what the token of a connection or a call makes of its client (protocol §7). */
import { CodedError } from '@arqonbus/protocol'

/** What a client may do. */
export type Role = 'user' | 'admin'

/** The role that a token gives; `unauthenticated` for one that is not known. */
export type RoleOf = (token: string | undefined) => Role

/** Makes it. */
export const createRoleOf =
  (isAdminKey: (key: string) => boolean): RoleOf =>
  (token) => {
    if (token === undefined) return 'user'
    if (!isAdminKey(token)) throw new CodedError('unauthenticated')
    return 'admin'
  }
