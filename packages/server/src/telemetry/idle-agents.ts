/** Agents that have fallen silent: found by looking now and then, so that what they send costs nothing more. */
import type { Client } from '../state/model.ts'

/** What looking needs. */
type IdleWatchDeps = {
  /** All that are connected. */
  readonly clients: () => Iterable<Client>
  /** False while the event has no subscribers, or there are no agents. */
  readonly isWanted: () => boolean
  readonly idle: (agent: Client) => void
  readonly now: () => number
  readonly agentIdleMs: number
}

/** Creates the function that looks once. An agent is reported idle once, until it has sent something again. */
export function createIdleWatch({ clients, isWanted, idle, now, agentIdleMs }: IdleWatchDeps): () => void {
  /** The time of the last frame as of which an agent was reported idle. */
  const reported = new WeakMap<Client, number>()
  return () => {
    if (!isWanted()) return
    const time = now()
    for (const client of clients()) {
      if (client.profile.clientType !== 'ai-agent' || time - client.lastActivity < agentIdleMs) continue
      if (reported.get(client) === client.lastActivity) continue
      reported.set(client, client.lastActivity)
      idle(client)
    }
  }
}
