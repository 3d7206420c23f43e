/** The activity of agents, from events of type `agent_activity` (docs/protocol.md#telemetry). */
import { createPulse } from '../kit/frames.ts'
import { createRing, type Ring } from '../kit/ring.ts'
import { onTelemetry } from './telemetry.ts'

/** One activity of an agent. */
export type Activity = { readonly at: number; readonly activity: string; readonly address: string | undefined }

/** An agent and its last activities. */
export type Agent = { readonly id: string; name: string; last: Activity; readonly recent: Ring<Activity> }

/** All activities, in order. */
export const activities = createRing<Activity & { readonly key: number; readonly id: string; readonly name: string }>(
  1000,
)
/** Beats with each activity. */
export const agentPulse = createPulse()

const MOST_AGENTS = 500
const agents = new Map<string, Agent>()

/** The agents, the one with the latest activity first. */
export const listAgents = (): Agent[] => [...agents.values()].reverse()

onTelemetry(({ type, at, body }) => {
  const { client_id: id, screen_name: screenName, activity, room, channel } = body
  if (type !== 'agent_activity' || typeof id !== 'string' || typeof activity !== 'string') return
  const name = typeof screenName === 'string' && screenName !== '' ? screenName : id
  const address = typeof room === 'string' && typeof channel === 'string' ? `${room}:${channel}` : undefined
  const done = { at, activity, address }
  const agent = agents.get(id) ?? { id, name, last: done, recent: createRing<Activity>(300) }
  agent.name = name
  agent.last = done
  agent.recent.push(done)
  // Deleted and inserted again, so that the map is in the order of the last activity.
  agents.delete(id)
  agents.set(id, agent)
  if (agents.size > MOST_AGENTS) agents.delete(agents.keys().next().value as string)
  activities.push({ ...done, key: activities.total, id, name })
  agentPulse.beat()
})
