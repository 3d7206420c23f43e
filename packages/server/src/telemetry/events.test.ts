/** When events are sent under load, in ticks, and what they name (SC-007, docs/protocol.md#telemetry). */
import { describe, expect, test } from 'bun:test'
import { type BusEventType, type ParsedEnvelope, TELEMETRY_TICK_MS } from '@arqonbus/protocol'
import { testConfig } from '../config/index.ts'
import type { Channel, Client, Room } from '../state/model.ts'
import { createEmitter, type EmittedEvent } from './emitter.ts'
import { createTelemetryEvents } from './events.ts'

/** Nothing is named later than so many ticks after it happened. */
const MOST_TICKS = 5

/** The observer and its emitter with the default settings, on a clock of its own. */
function setUp() {
  let now = 0
  const timers: { at: number; task: () => void }[] = []
  const emitted: (EmittedEvent & { at: number })[] = []
  const channels = new Map<string, Channel>()
  const emitter = createEmitter({
    ...testConfig(),
    // As text, since it may change no more.
    emit: (event) => emitted.push({ ...event, payload: structuredClone(event.payload), at: now }),
    isSending: () => false,
    summed: () => {},
    later: (ms, task) => timers.push({ at: now + ms, task }),
  })
  const events = createTelemetryEvents({
    emitter,
    isWatched: () => true,
    isHeard: () => true,
    findChannel: (room, channel) => channels.get(`${room}:${channel}`),
    now: () => now,
  })
  return {
    emitter,
    events,
    emitted,
    channels,
    now: () => now,
    /** Lets so much time pass. */
    pass(ms: number) {
      const end = now + ms
      while (timers[0] !== undefined && timers[0].at <= end) {
        const { at, task } = timers.shift()!
        now = at
        task()
      }
      now = end
    },
    addChannel(room: string, name: string, type: Channel['type'] = 'general'): Channel {
      const channel = { room: { name: room } as Room, name, type, autoCreated: true } as Channel
      channels.set(`${room}:${name}`, channel)
      return channel
    },
  }
}
type Observed = ReturnType<typeof setUp>

const clientOf = (id: string, clientType: Client['profile']['clientType'] = 'human') =>
  ({ id, profile: { clientType }, connectedAtMonotonic: 0 }) as Client
const messageIn = ({ room, name }: Channel) => ({ room: room.name, channel: name }) as ParsedEnvelope

type Payload = Partial<Record<'client_id' | 'room' | 'channel' | 'activity', string>> & { count?: number }
/** The events of these types. */
const ofTypes = ({ emitted }: Observed, ...types: BusEventType[]) =>
  emitted
    .filter(({ eventType }) => (types as string[]).includes(eventType))
    .map(({ eventType, payload, at }) => ({ type: eventType, at, payload: payload as Payload }))
const ticksAfter = (from: number, at: number) => Math.ceil((at - from) / TELEMETRY_TICK_MS)

describe('everything is named within five ticks', () => {
  test('100 rooms with a message every 80 ms are named in every tick, with counts that add up', () => {
    const bus = setUp()
    const channels = Array.from({ length: 100 }, (_, i) => bus.addChannel(`room-${i}`, 'talk'))
    const ann = clientOf('ann')
    const happened = new Map(channels.map(({ room }) => [room.name, [] as number[]]))
    for (let ms = 0; ms < 6000; ms += 80) {
      for (const channel of channels) {
        happened.get(channel.room.name)!.push(bus.now())
        bus.events.messageRouted(ann, messageIn(channel), channel)
      }
      bus.pass(80)
    }
    bus.pass(TELEMETRY_TICK_MS)
    let latest = 0
    for (const { payload, at } of ofTypes(bus, 'message_routed'))
      for (const when of happened.get(payload.room!)!.splice(0, payload.count))
        latest = Math.max(latest, ticksAfter(when, at))
    expect(latest).toBe(1)
    // Each of the 75 messages in each room was told once.
    expect([...happened.values()].flat()).toEqual([])
    expect(ofTypes(bus, 'message_routed').reduce((sum, { payload }) => sum + payload.count!, 0)).toBe(7500)
  })

  test('1,000 agents that connect at once, each to a room of its own, are all named, and so are their rooms', () => {
    const bus = setUp()
    const agents = Array.from({ length: 1000 }, (_, i) => clientOf(`agent-${i}`, 'ai-agent'))
    for (const agent of agents) {
      bus.events.clientConnected(agent, false)
      const channel = bus.addChannel(`of-${agent.id}`, 'talk')
      bus.events.channelCreated(channel)
      bus.events.joined(agent, channel.room, channel)
    }
    bus.pass(MOST_TICKS * TELEMETRY_TICK_MS)
    const ids = agents.map(({ id }) => id)
    const idsIn = (type: BusEventType) => ofTypes(bus, type).map(({ payload }) => payload.client_id!)
    expect(idsIn('client_connected')).toEqual(ids)
    expect(idsIn('channel_joined')).toEqual(ids)
    expect(ofTypes(bus, 'channel_created').map(({ payload }) => payload.room!)).toEqual(ids.map((id) => `of-${id}`))
    expect(idsIn('agent_activity')).toEqual(ids.flatMap((id) => [id, id]))
    expect(bus.emitter.waiting()).toBe(0)
  })

  test('120 agents that speak at once are all named in one tick, with the number of their messages', () => {
    const bus = setUp()
    const channel = bus.addChannel('lab', 'talk')
    const agents = Array.from({ length: 120 }, (_, i) => clientOf(`agent-${i}`, 'ai-agent'))
    for (let times = 0; times < 3; times++)
      for (const agent of agents) bus.events.messageRouted(agent, messageIn(channel), channel)
    bus.pass(TELEMETRY_TICK_MS)
    expect(ofTypes(bus, 'agent_activity').map(({ payload }) => payload)).toEqual(
      agents.map(({ id }) => ({ client_id: id, activity: 'message', room: 'lab', channel: 'talk', count: 3 })),
    )
    expect(ofTypes(bus, 'message_routed').map(({ payload }) => payload)).toEqual([
      { room: 'lab', channel: 'talk', count: 360 },
    ])
  })

  test('10,000 messages to 100 rooms in one burst are one event for each room', () => {
    const bus = setUp()
    const channels = Array.from({ length: 100 }, (_, i) => bus.addChannel(`room-${i}`, 'talk'))
    for (let i = 0; i < 10_000; i++)
      bus.events.messageRouted(clientOf('ann'), messageIn(channels[i % 100]!), channels[i % 100])
    bus.pass(TELEMETRY_TICK_MS)
    expect(bus.emitted.map(({ payload }) => payload as Payload)).toEqual(
      channels.map(({ room }) => ({ client_id: 'ann', room: room.name, channel: 'talk', count: 100 })),
    )
  })
})

test('refusals of a client are counted by code and channel, and by command', () => {
  const bus = setUp()
  bus.addChannel('a', 'b')
  const eve = clientOf('eve')
  for (let times = 0; times < 3; times++) {
    bus.events.frameRefused(eve, 'room_paused', { room: 'a', channel: 'b' }, undefined)
    bus.events.frameRefused(eve, 'channel_not_found', { room: 'a', channel: 'b' }, undefined)
    bus.events.frameRefused(eve, 'rate_limited', { room: 'a', channel: 'b' }, undefined)
    bus.events.frameRefused(eve, 'rate_limited', {}, 'history')
  }
  bus.pass(TELEMETRY_TICK_MS)
  const refused = { client_id: 'eve', count: 3 }
  const there = { room: 'a', channel: 'b' }
  expect(bus.emitted.map(({ payload }) => payload as object)).toEqual([
    { ...refused, ...there, code: 'room_paused' },
    { ...refused, ...there, code: 'channel_not_found' },
    { ...refused, ...there },
    { ...refused, command: 'history' },
  ])
})

test('a client that comes and goes several times within a tick is reported in that order, as agent too', () => {
  const bus = setUp()
  const channel = bus.addChannel('lab', 'talk')
  for (let times = 0; times < 2; times++) {
    const bot = clientOf('bot', 'ai-agent')
    bus.events.clientConnected(bot, times > 0)
    bus.events.joined(bot, channel.room, channel)
    bus.events.clientSlow(bot, 'behind')
    bus.events.clientSlow(bot, 'behind')
    bus.events.clientSlow(bot, 'closed')
    bus.events.left(bot, channel.room, channel)
    bus.events.clientDisconnected(bot, { code: 4429, reason: 'slow consumer', by: 'server' })
  }
  bus.pass(TELEMETRY_TICK_MS)
  const steps = [
    'client_connected',
    'channel_joined',
    'slow_consumer',
    'slow_consumer',
    'channel_left',
    'client_disconnected',
  ]
  const heard = bus.emitted.filter(({ eventType }) => eventType !== 'agent_activity')
  expect(heard.map(({ eventType }) => eventType as string)).toEqual([...steps, ...steps])
  expect(ofTypes(bus, 'slow_consumer').map(({ payload }) => payload.count)).toEqual([2, 1, 2, 1])
  const activities = ['connected', 'joined', 'left', 'disconnected']
  expect(ofTypes(bus, 'agent_activity').map(({ payload }) => payload.activity!)).toEqual([...activities, ...activities])
})

describe('the name of a private channel', () => {
  const names = ({ emitted }: Observed) => JSON.stringify(emitted)

  test('a private channel that has ended is not named when an agent leaves it after that', () => {
    const bus = setUp()
    const bot = clientOf('bot', 'ai-agent')
    const hidden = bus.addChannel('lab', 'hidden', 'private')
    bus.events.joined(bot, hidden.room, hidden)
    bus.channels.clear()
    bus.events.channelEnded(hidden)
    bus.events.left(bot, hidden.room, hidden)
    bus.pass(TELEMETRY_TICK_MS)
    expect(bus.emitted).toHaveLength(5)
    expect(names(bus)).not.toContain('hidden')
  })

  test('a channel that ended before its log answered for a message is not named: it may have been private', () => {
    const bus = setUp()
    const hidden = bus.addChannel('lab', 'hidden', 'private')
    bus.channels.clear()
    bus.events.messageRouted(clientOf('bot', 'ai-agent'), messageIn(hidden), hidden)
    bus.pass(TELEMETRY_TICK_MS)
    expect(ofTypes(bus, 'message_routed', 'agent_activity').map(({ payload }) => payload.room)).toEqual(['lab', 'lab'])
    expect(names(bus)).not.toContain('hidden')
  })

  test('a channel that is not loaded when a frame is refused is not named: it may be private, unless it does not exist', () => {
    const bus = setUp()
    const [eve, address] = [clientOf('eve'), { room: 'lab', channel: 'hidden' }]
    for (const code of ['rate_limited', 'invalid_envelope', 'channel_not_found', 'room_not_found'] as const)
      bus.events.frameRefused(eve, code, address, undefined)
    bus.events.frameRefused(eve, 'rate_limited', { room: 'lab', channel: '*' }, undefined)
    bus.pass(TELEMETRY_TICK_MS)
    const channels = ofTypes(bus, 'rate_limited', 'message_rejected').map(({ payload }) => payload.channel)
    expect(channels).toEqual([undefined, undefined, 'hidden', 'hidden', '*'])
  })

  test('messages to a whole room and private messages are named although no channel has their address', () => {
    const bus = setUp()
    const ann = clientOf('ann')
    bus.events.messageRouted(ann, { room: 'lab', channel: '*' } as ParsedEnvelope, {})
    bus.events.messageRouted(ann, { room: 'lab', channel: 'pm' } as ParsedEnvelope, 'lab')
    bus.pass(TELEMETRY_TICK_MS)
    expect(ofTypes(bus, 'message_routed').map(({ payload }) => payload.channel)).toEqual(['*', 'pm'])
  })
})
