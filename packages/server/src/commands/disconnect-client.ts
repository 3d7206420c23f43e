import { CodedError, commands } from '@arqonbus/protocol'
import type { Announcer, Directory } from '../cluster/cluster.ts'
import { command } from './command.ts'

/** What `disconnect_client` needs. */
export type DisconnectDeps = {
  readonly directory: Pick<Directory, 'find'>
  readonly announcer: Pick<Announcer, 'announce'>
}

/** `disconnect_client`: ends a client's connection with close code 4411, and its session. */
export const disconnectClient = ({ directory, announcer }: DisconnectDeps) =>
  command(commands.disconnect_client, ({ parameters: { client_id: clientId, reason } }) => {
    if (directory.find(clientId) === undefined) throw new CodedError('client_not_found', { client_ids: [clientId] })
    announcer.announce({ type: 'disconnect', clientId, reason })
    return { client_id: clientId, disconnected: true }
  })
