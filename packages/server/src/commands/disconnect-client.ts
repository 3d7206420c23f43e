import { CodedError, commands } from '@arqonbus/protocol'
import type { Clients } from '../state/clients.ts'
import type { Client } from '../state/model.ts'
import { command } from './command.ts'

/** `disconnect_client`: ends a client's connection and its session. `disconnect` says goodbye with 4411. */
export const disconnectClient = (clients: Clients, disconnect: (client: Client, reason: string | undefined) => void) =>
  command(commands.disconnect_client, ({ parameters: { client_id: id, reason } }) => {
    const client = clients.get(id)
    if (client === undefined) throw new CodedError('client_not_found', { client_ids: [id] })
    disconnect(client, reason)
    return { client_id: id, disconnected: true }
  })
