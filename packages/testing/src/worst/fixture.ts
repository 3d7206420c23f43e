/** A bus in its worst state: as large as its clients can make it. */
import { type CommandName, newId } from '@arqonbus/protocol'
import { connect, type TestClient } from '../client.ts'

/** The amount of everything. */
export type Scale = {
  /** Channels of one room, created by publishing. */
  readonly channels: number
  /** Private channels of one room, which the asker may join. */
  readonly restricted: number
  /** Rooms with fewer channels than a join lists, and how many each has. */
  readonly rooms: number
  readonly channelsARoom: number
  /** Messages of the largest size in one channel, and in the inbox of the asker. */
  readonly large: number
  /** Other clients, each in one channel and its room. */
  readonly crowd: number
  /** How many of them have the most subscriptions that a client may have. */
  readonly subscribers: number
}

/** The URLs of the bus, and its admin key. */
export type FixtureOptions = {
  readonly busUrl: string
  readonly httpUrl: string
  readonly telemetryUrl: string
  readonly adminKey: string
  readonly scale: Scale
}

/** The bus and the clients of the cases. */
export type Fixture = FixtureOptions & {
  /**
   * The senders: a member that may join all private channels and has a full inbox, and a stranger that may join none.
   */
  readonly askers: { readonly member: TestClient; readonly stranger: TestClient }
}

/** The greatest length of a message, including its envelope. */
export const LARGEST = 256 * 1024

/** The text of a large message. */
const LARGE = 'x'.repeat(200_000)

/** The most subscriptions of one client. */
const SUBSCRIPTIONS = 1000

/** The frame of a command, as text. If `parameters` is a text, it is JSON. */
export function commandText(from: string, name: CommandName, parameters: object | string): string {
  const text = typeof parameters === 'string' ? parameters : JSON.stringify(parameters)
  return `{"version":"1.0","id":"${newId()}","type":"command","room":"arqonbus","channel":"control","from":"${from}","timestamp":"2026-11-21T12:00:00Z","payload":{"name":"${name}","parameters":${text}}}`
}

/** The frame of a message, as text. */
export function messageText(
  from: string,
  { type = 'event', room, channel, payload = '{}', metadata }: MessageParts,
): string {
  const last = metadata === undefined ? '' : `,"metadata":${metadata}`
  return `{"version":"1.0","id":"${newId()}","type":"${type}","room":"${room}","channel":"${channel}","from":"${from}","timestamp":"2026-11-21T12:00:00Z","payload":${payload}${last}}`
}

/** The parts of a message; payload and metadata are JSON text. */
export type MessageParts = {
  readonly type?: string
  readonly room: string
  readonly channel: string
  readonly payload?: string
  readonly metadata?: string
}

/** Creates the state, which takes a while. The bus has no rate limits meanwhile, so that it is created quickly. */
export async function prepareFixture(options: FixtureOptions): Promise<Fixture> {
  const { scale, busUrl } = options
  const open = (id: string, join: readonly string[] = []) => connect(busUrl, { query: { client_id: id, join } })
  const [member, stranger, maker] = await Promise.all([open('member'), open('stranger'), open('maker')])
  await sendMany(maker, scale.channels, (i) => messageText('maker', { room: 'big', channel: `c${i}` }))
  await sendMany(member, scale.restricted, (i) =>
    commandText('member', 'create_channel', {
      channel: `secret:p${i}`,
      type: 'private',
      metadata: { members: ['other'] },
    }),
  )
  await sendMany(maker, scale.rooms * scale.channelsARoom, (i) =>
    messageText('maker', { room: `many-${i % scale.rooms}`, channel: `c${Math.floor(i / scale.rooms)}` }),
  )
  await fillHistories(maker, member, scale.large)
  const crowd = await fillRooms(open, scale.crowd)
  for (const client of crowd.slice(0, scale.subscribers)) await subscribe(client)
  await maker.close()
  return { ...options, askers: { member, stranger } }
}

/** Sends `count` frames, and waits now and then, so that the client is not disconnected as a slow consumer. */
async function sendMany(client: TestClient, count: number, frame: (i: number) => string): Promise<void> {
  for (let i = 0; i < count; i++) {
    client.raw(frame(i))
    if (i % 500 === 499) await client.everything()
  }
  await client.everything()
}

/** Fills a channel and the inbox of the member with large messages, sent from it and to it in turn. */
async function fillHistories(maker: TestClient, member: TestClient, large: number): Promise<void> {
  const payload = JSON.stringify({ text: LARGE })
  for (let i = 0; i < large; i++) {
    maker.raw(messageText('maker', { room: 'history', channel: 'large', payload }))
    const [from, to] = i % 2 === 0 ? [maker, member] : [member, maker]
    const message = { type: 'private', room: 'history', channel: 'pm', payload, metadata: `{"to":"${to.id}"}` }
    from.raw(messageText(from.id, message))
    await Promise.all([maker.everything(), member.everything()])
  }
  await sendMany(maker, 1000, () => messageText('maker', { room: 'history', channel: 'small' }))
}

/** Clients that are all in one channel, and in two rooms. */
async function fillRooms(open: (id: string, join: readonly string[]) => Promise<TestClient>, count: number) {
  const crowd: TestClient[] = []
  for (let at = 0; at < count; at += 100) {
    const some = Array.from({ length: Math.min(100, count - at) }, (_, i) =>
      open(`crowd-${at + i}`, ['crowd:main', 'crowd:*', 'leaving:*']),
    )
    crowd.push(...(await Promise.all(some)))
  }
  return crowd
}

/** Subscribes to as many private channels of its own as allowed, which no other client sees. */
async function subscribe(client: TestClient): Promise<void> {
  const names = Array.from({ length: SUBSCRIPTIONS - 3 }, (_, i) => `own-${client.id}:p${i}`)
  for (const channel of names) client.raw(commandText(client.id, 'create_channel', { channel, type: 'private' }))
  await client.everything()
  for (let at = 0; at < names.length; at += 100) {
    const channels = names.slice(at, at + 100).map((channel) => ({ channel }))
    await client.command('join_channel', { channels })
  }
}
