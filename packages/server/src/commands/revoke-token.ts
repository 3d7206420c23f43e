import { commands } from '@arqonbus/protocol'
import { type RevocationKind, revocationKinds } from '../auth/revocations.ts'
import { chain } from '../kit/maybe.ts'
import { command } from './command.ts'
import type { CommandDeps } from './command-deps.ts'
import { invalidParameter } from './invalid-parameter.ts'

/** `revoke`: tokens of a subject, of one id or of one client are not accepted any more. */
export const revoke = ({ revokeTokens }: CommandDeps) =>
  command(commands.revoke, ({ parameters }) => {
    const given = revocationKinds.flatMap((kind): [RevocationKind, string][] => {
      const value = parameters[kind]
      return value === undefined ? [] : [[kind, value]]
    })
    const [first, ...others] = given
    if (first === undefined || others.length > 0)
      throw invalidParameter('sub', 'to be given, or one of jti and client_id: one of the three')
    const [kind, value] = first
    return chain(revokeTokens({ kind, value }), ({ isStored }) => ({
      [kind]: value,
      revoked: true as const,
      durable: isStored,
    }))
  })
