import type { ClientType } from '@arqonbus/protocol'

/** The types of clients, as the page writes them. */
export const typeNames: Readonly<Record<ClientType, string>> = {
  human: 'person',
  'ai-agent': 'agent',
  service: 'service',
  dashboard: 'dashboard',
}
