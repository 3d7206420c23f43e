/** An honest client beside an attack: what it does, and what it must get. */
import { connect, type Frame } from '@arqonbus/testing'
import { caller } from '../../api/call.ts'
import { from } from '../../peers/from.ts'

/** A bus that is attacked. */
export type Where = { readonly busUrl: string; readonly telemetryUrl: string; readonly httpUrl: string }

/** The honest client. */
export type Honest = {
  /** Publishes and reads again and again until `ended` resolves, at least ten times and as often as its rate allows. */
  during(ended: Promise<unknown>): Promise<void>
  /** Publishes at a steady rate until `ended` resolves; only for measuring. */
  steadily(everyMs: number, ended: Promise<unknown>): Promise<void>
  /** Throws unless every message has arrived once and in order, and all that it owns is as it was. */
  expectUnharmed(): Promise<void>
  /** Milliseconds from sending a message to its arrival. */
  readonly latenciesMs: readonly number[]
  close(): Promise<void>
}

/** Where it comes from: limits of an address do not make it share those of the attacker. */
const ADDRESS = '192.0.2.10'

/** Exchanges during a flood, at most: it keeps to its rate. And what the history of a channel holds. */
const MOST = 300
const HISTORY = 500

let count = 0

/** Connects a publisher and a subscriber, with a room, channels and history, and a client that is away. */
export async function startHonest(bus: Where): Promise<Honest> {
  const room = `honest-${++count}`
  const address = { room, channel: 'talk' }
  const as = (name: string, ...join: string[]) =>
    connect(bus.busUrl, { query: { client_id: `${room}-${name}`, join }, headers: from(ADDRESS) })
  const [ann, ben] = await Promise.all([as('ann'), as('ben', `${room}:talk`)])
  await ann.command('create_channel', { channel: `${room}:secret`, type: 'private' })
  for (const channel of ['secret', 'notes']) await ann.publish({ room, channel, payload: { text: 'kept' } })
  await ann.publish({ type: 'private', channel: 'pm', payload: { text: 'kept' }, metadata: { to: ben.id } })
  const cat = await as('cat', `${room}:talk`)
  await cat.close()
  const api = caller(bus.httpUrl)
  const latenciesMs: number[] = []
  let sent = 0

  const exchange = async () => {
    const n = ++sent
    const begun = performance.now()
    const published = ann.publish({ ...address, payload: { n } })
    await ben.next((frame) => frame.type === 'event' && frame.payload.n === n)
    latenciesMs.push(performance.now() - begun)
    await published
  }
  const look = async () => {
    const health = await fetch(`${bus.httpUrl}/health`, { headers: from(ADDRESS) })
    if (health.status !== 200) throw new Error(`/health is ${health.status}`)
    await ann.command('ping')
    const { status, body } = await api(`/rooms/${room}/channels/talk/messages?limit=1`, { headers: from(ADDRESS) })
    if (status !== 200) throw new Error(`history over HTTP is ${status} ${JSON.stringify(body)}`)
  }

  return {
    latenciesMs,
    async during(ended) {
      let isOver = false
      const over = ended.finally(() => {
        isOver = true
      })
      for (let i = 0; i < 10 || (!isOver && i < MOST); i++) {
        await exchange()
        if (i % 10 === 0) await look()
      }
      await over
    },
    async steadily(everyMs, ended) {
      let isOver = false
      const over = ended.finally(() => {
        isOver = true
      })
      while (!isOver) {
        await exchange()
        await Bun.sleep(everyMs)
      }
      await over
    },
    async expectUnharmed() {
      await exchange()
      const { messages } = await ben.command('history', { channel: `${room}:talk`, limit: HISTORY })
      expectEqual(
        'history',
        messages.map(({ payload }) => payload.n),
        Array.from({ length: sent }, (_, i) => i + 1).slice(-HISTORY),
      )
      for (const channel of ['secret', 'notes']) {
        const { messages } = await ann.command('history', { channel: `${room}:${channel}` })
        expectEqual(channel, messages.length, 1)
      }
      const inbox = await ben.command('history', { channel: 'arqonbus:inbox' })
      expectEqual('the inbox', inbox.messages.length, 1)
      const back = await connect(bus.busUrl, {
        query: { client_id: cat.id },
        headers: { ...from(ADDRESS), 'Arqonbus-Session': cat.welcome.session },
      })
      expectEqual('the session', [back.welcome.resumed, back.welcome.kept_subscriptions], [true, [`${room}:talk`]])
      await back.close()
      const { channels } = await ann.command('list_channels', { room })
      expectEqual('the channels', channels.map(({ name }) => name).sort(), ['notes', 'secret', 'talk'])
      expectEqual('other frames', [...(await ben.everything()), ...(await ann.everything())].filter(isOther), [])
    },
    close: async () => {
      await Promise.all([ann.close(), ben.close()])
    },
  }
}

const isOther = ({ type }: Frame): boolean => type !== 'private'

function expectEqual(what: string, found: unknown, expected: unknown): void {
  const [one, other] = [JSON.stringify(found), JSON.stringify(expected)]
  if (one !== other) throw new Error(`${what} of the honest client: ${one.slice(0, 500)}, not ${other.slice(0, 500)}`)
}
