import { CodedError, commands } from '@arqonbus/protocol'
import { command } from './command.ts'
import type { CommandDeps } from './command-deps.ts'

/** `disconnect_client`: ends a client's connection with close code 4411, and its session. */
export const disconnectClient = ({ directory, announcer }: CommandDeps) =>
  command(commands.disconnect_client, ({ parameters: { client_id: clientId, reason } }) => {
    if (directory.find(clientId) === undefined) throw new CodedError('client_not_found', { client_ids: [clientId] })
    announcer.announce({ type: 'disconnect', clientId, reason })
    return { client_id: clientId, disconnected: true }
  })
