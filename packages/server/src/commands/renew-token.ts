import { commands } from '@arqonbus/protocol'
import { isoTime } from '../kit/clock.ts'
import { chain } from '../kit/maybe.ts'
import { command } from './command.ts'
import type { CommandDeps } from './command-deps.ts'

/** `authenticate`: renews the token of a connection. */
export const authenticate = ({ renew }: CommandDeps) =>
  command(commands.authenticate, ({ parameters: { token }, requester }) =>
    chain(renew(requester, token), () => {
      const { role, credential } = requester.identity
      return {
        client_id: requester.id,
        role,
        ...(credential !== undefined && { expires_at: isoTime(credential.expiresAt) }),
      }
    }),
  )
