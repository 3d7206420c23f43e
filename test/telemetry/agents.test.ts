/** The activity of AI agents, on `integriguard:dashboard-events` (specification FR-012, docs/protocol.md#telemetry). */
import { expect, test } from 'bun:test'
import type { AgentActivity, BusEventPayload } from '@arqonbus/protocol'
import { startBus, testClock } from '@arqonbus/testing'
import { eventOf, heard, isActivity } from './support/events.ts'

const clock = testClock()
const bus = await startBus({ agentIdleMs: 1000, rateLimit: null }, { clock })
const audiences = [await bus.listen(), await bus.as('dash', 'integriguard:dashboard-events')]

/** Expects the event at both subscribers; resolves to the payload. */
async function bothHear(activity: AgentActivity, client_id = 'bot'): Promise<BusEventPayload<'agent_activity'>> {
  const [one, other] = await Promise.all(audiences.map((who) => heard(who, 'agent_activity', { activity, client_id })))
  expect(one!).toEqual(other!)
  return one!
}
const agent = (client_id = 'bot', join: string | string[] = []) =>
  bus.connect({ query: { client_id, client_type: 'ai-agent', screen_name: 'Bot', join } })

test('telemetry reports when an agent connects, joins, publishes, sends a command, leaves and disconnects', async () => {
  const bot = await agent('bot', 'lab:talk')
  const who = { client_id: 'bot', screen_name: 'Bot', count: 1 }
  expect(await bothHear('connected')).toEqual({ ...who, activity: 'connected' })
  expect(await bothHear('joined')).toEqual({ ...who, activity: 'joined', room: 'lab', channel: 'talk' })
  await bot.publish({ room: 'lab', channel: 'talk' })
  expect(await bothHear('message')).toEqual({ ...who, activity: 'message', room: 'lab', channel: 'talk' })
  await bot.command('ping')
  expect(await bothHear('command')).toEqual({ ...who, activity: 'command' })
  await bot.command('leave_channel', { channel: 'lab:talk' })
  expect(await bothHear('left')).toEqual({ ...who, activity: 'left', room: 'lab', channel: 'talk' })
  await bot.close()
  expect(await bothHear('disconnected')).toEqual({ ...who, activity: 'disconnected' })
})

test('an agent that is silent for long is reported as idle once, until it has sent something again', async () => {
  const bot = await agent('silent')
  await bothHear('connected', 'silent')
  for (let times = 1; times <= 2; times++) {
    clock.advance(1001)
    expect(await bothHear('idle', 'silent')).toMatchObject({ activity: 'idle', count: 1 })
    clock.advance(5000)
    await bot.command('ping')
    await bothHear('command', 'silent')
  }
  await bot.close()
  const [first] = audiences
  await heard(first!, 'agent_activity', { client_id: 'silent', activity: 'disconnected' })
  const payloads = first!.frames.map((frame) => eventOf(frame)?.payload)
  expect(payloads.filter((payload) => payload?.client_id === 'silent' && payload.activity === 'idle')).toEqual([])
})

test('repeated activity of an agent within a tick is reported once, with its count', async () => {
  const bot = await agent('busy')
  const many = 500
  await Promise.all(
    Array.from({ length: many }, (_, i) => bot.publish({ room: 'lab', channel: i % 2 ? 'odd' : 'even' })),
  )
  const counts = { odd: 0, even: 0 }
  let events = 0
  while (counts.odd + counts.even < many) {
    const { channel, count } = await heard(audiences[0]!, 'agent_activity', { client_id: 'busy', activity: 'message' })
    counts[channel as 'odd' | 'even'] += count
    events++
  }
  expect(counts).toEqual({ odd: many / 2, even: many / 2 })
  expect(events).toBeLessThan(many)
})

test('the activity of people, services and dashboards is not reported', async () => {
  for (const client_type of ['human', 'service', 'dashboard']) {
    const one = await bus.connect({ query: { client_id: client_type, client_type, join: 'lab:talk' } })
    await one.publish({ room: 'lab', channel: 'talk' })
    await one.close()
  }
  await (await agent('last')).close()
  for (const audience of audiences) {
    await heard(audience, 'agent_activity', { client_id: 'last', activity: 'disconnected' })
    const watched = audience.frames.filter(isActivity).map((frame) => eventOf(frame)?.payload.client_id)
    expect(watched.filter((id) => ['human', 'service', 'dashboard'].includes(String(id)))).toEqual([])
  }
})
