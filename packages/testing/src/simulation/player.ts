/**
 * A client that does what chance says, and writes down what it sees. It knows the protocol and nothing else: it goes on
 * from the last position that it has, as every client that wants to lose nothing must.
 */
import type { Seen } from '../checker.ts'
import type { Random } from '../random.ts'
import type { Line, Network } from './network.ts'

/** Where players meet. */
export type World = {
  readonly rooms: readonly string[]
  /** Channels by address. */
  readonly channels: readonly string[]
  /** One that somebody deletes now and then; nobody joins it by itself. */
  readonly passing: string
  readonly mayRead: (player: string, channel: string) => boolean
  readonly players: readonly string[]
}

/** What a player is made with. */
export type PlayerOptions = {
  readonly id: string
  readonly echo: boolean
  readonly random: Random
  readonly network: Network
  readonly world: World
  readonly see: (seen: Seen) => void
  /** Counts what happened, so that a test can tell that it did. */
  readonly count: (what: string) => void
}

/** A player. */
export type Player = {
  readonly id: string
  readonly isUp: boolean
  /** True while nothing that it asked for is unanswered. */
  readonly isSettled: boolean
  connect(): void
  /** Does something. */
  act(): void
  /** From now on it reads, is connected, and gets back what it lost. */
  comeBack(): void
  /** Publishes there. */
  say(channel: string): void
  /** Reads the history of a channel to its end. */
  readHistory(channel: string): void
  hangUp(): void
}

type Reply = {
  status: 'success' | 'error'
  error?: { code: string }
  // biome-ignore lint/suspicious/noExplicitAny: what a reply holds depends on what was asked.
  result?: any
}

/** What a join asks for. */
type Join = {
  channel: string
  since?: string | Record<string, string>
  since_id?: string | Record<string, string>
  room_since?: string
  room_since_id?: string
}

/** What it says of one log, and of all. */
type Answer = { position?: string | undefined; recovered?: boolean | undefined; complete?: true | undefined }
type JoinAnswer = Answer & {
  room_position?: string
  room_recovered?: boolean
  room_complete?: true
  channels?: (Answer & { channel: string })[]
}

/** Makes one; it is not connected. */
export function createPlayer({ id, echo, random, network, world, see, count }: PlayerOptions): Player {
  const inbox = `inbox:${id}`
  /** The last position that it has, by channel. */
  const reached = new Map<string, { position: string; id?: string }>()
  /** Channels that have a base on this connection. */
  const begun = new Set<string>()
  const direct = new Set<string>()
  const wide = new Set<string>()
  /** Addresses that it had when its connection ended, and wants back. */
  const wanted = new Set<string>()
  const sent: { text: string; id: string; channel: string }[] = []
  const pending = new Map<string, (reply: Reply | undefined) => void>()
  let line: Line | undefined
  let session: string | undefined
  let serial = 0
  let isUp = false
  let isInboxReady = false
  /** One change of membership at a time, so that what a reply means is plain. */
  let isChanging = false

  const envelope = (messageId: string, type: string, address: string, payload: object, metadata?: object): string => {
    const [room, channel] = split(address)
    return JSON.stringify({
      version: '1.0',
      id: messageId,
      type,
      room,
      channel,
      from: id,
      timestamp: TIMESTAMP,
      payload,
      metadata,
    })
  }
  const command = (name: string, parameters: Record<string, unknown>, done: (reply: Reply | undefined) => void) => {
    const requestId = `arq_${id}-q${++serial}`
    pending.set(requestId, done)
    line!.send(envelope(requestId, 'command', 'arqonbus:control', { name, parameters }))
  }
  const change = (
    name: string,
    parameters: Record<string, unknown>,
    done: (result: NonNullable<Reply['result']>) => void,
  ) => {
    isChanging = true
    command(name, parameters, (reply) => {
      isChanging = false
      if (reply?.status === 'success') done(reply.result)
      else if (reply !== undefined) count(`${name} ${reply.error?.code}`)
    })
  }

  const isPresent = (room: string) => wide.has(room) || [...direct].some((channel) => channel.startsWith(`${room}:`))
  const isCovered = (channel: string) =>
    direct.has(channel) || (wide.has(split(channel)[0]) && world.mayRead(id, channel))
  const begin = (channel: string, position: string) => {
    begun.add(channel)
    if (reached.get(channel)?.position !== position) reached.set(channel, { position })
    see({ process: id, f: 'begin', channel, position })
  }
  const end = (channel: string) => {
    begun.delete(channel)
    see({ process: id, f: 'end', channel })
  }
  /** What a join means for one log: it goes on from `since`, or begins where the answer says, or goes on as it was. */
  const joined = (
    channel: string,
    { position, recovered, complete }: Answer,
    since: string | undefined,
    wasCovered: boolean,
  ) => {
    if (position === undefined) {
      // A channel that is gone, and of which something may have been missed.
      if (recovered === false) reached.delete(channel)
      return
    }
    // What was joined already may have come between the question and its answer; and without copies of its own messages
    // it asks from before them.
    if (since !== undefined && recovered === false && complete !== true && !wasCovered && echo)
      see({ process: id, f: 'gap', channel, after: since, next: position })
    if (since !== undefined) count(recovered === true ? 'recovered' : 'not recovered')
    if (since !== undefined && recovered === true) begin(channel, since)
    // Without a recovery a client that is joined goes on as it was; where one fails, it is taken to the base.
    else if (!wasCovered || recovered === false) begin(channel, position)
    // Born while the whole room was joined: it goes on from its origin.
    else if (!begun.has(channel)) begin(channel, BIRTH)
  }
  const sinceOf = (channel: string) => {
    const last = reached.get(channel)
    return last === undefined ? {} : { since: last.position, ...(last.id !== undefined && { since_id: last.id }) }
  }

  /** The join of an address: `isRecovering` where it goes on from what it has. */
  const joinOf = (address: string, isRecovering: boolean): Join => {
    if (!isRecovering) return { channel: address }
    const [room, name] = split(address)
    const broadcast = reached.get(`${room}:*`)
    const ofRoom = {
      ...(broadcast !== undefined && { room_since: broadcast.position }),
      ...(broadcast?.id !== undefined && { room_since_id: broadcast.id }),
    }
    if (name !== '*') return { channel: address, ...sinceOf(address), ...ofRoom }
    const since: Record<string, string> = {}
    const ids: Record<string, string> = {}
    for (const [channel, last] of reached) {
      const [channelRoom, channelName] = split(channel)
      if (channelRoom !== room || channelName === '*') continue
      since[channelName] = last.position
      if (last.id !== undefined) ids[channelName] = last.id
    }
    return { channel: address, since, since_id: ids, ...ofRoom }
  }
  const took = (asked: Join, result: JoinAnswer) => {
    const address = asked.channel
    const [room, name] = split(address)
    wanted.delete(address)
    const { room_position: position, room_recovered: recovered, room_complete: complete } = result
    const broadcast = { position, recovered, complete }
    joined(`${room}:*`, broadcast, asked.room_since, isPresent(room))
    if (name !== '*') {
      joined(address, result, asked.since as string | undefined, isCovered(address))
      direct.add(address)
      return
    }
    const since = asked.since as Record<string, string> | undefined
    if (!wide.has(room)) see({ process: id, f: 'begin_room', room })
    for (const one of result.channels ?? []) {
      const from = since === undefined ? undefined : (since[split(one.channel)[1]] ?? BIRTH)
      joined(one.channel, one, from, isCovered(one.channel))
    }
    wide.add(room)
  }
  const join = (address: string, isRecovering: boolean) => {
    const asked = joinOf(address, isRecovering)
    change('join_channel', asked, (result) => took(asked, result))
  }
  const joinAll = (addresses: string[]) => {
    const asked = addresses.map((address) => joinOf(address, true))
    change('join_channel', { channels: asked }, ({ results }) => {
      for (const [i, result] of results.entries()) {
        if (result.error === undefined) took(asked[i]!, result)
        else count(`join ${result.error.code}`)
      }
    })
  }
  const leave = (address: string) => {
    change('leave_channel', { channel: address }, () => {
      const [room, name] = split(address)
      const were = [...world.channels, world.passing].filter(
        (channel) => split(channel)[0] === room && isCovered(channel),
      )
      if (name === '*') {
        wide.delete(room)
        see({ process: id, f: 'end_room', room })
      } else direct.delete(address)
      for (const channel of were) if (!isCovered(channel)) end(channel)
      if (!isPresent(room)) end(`${room}:*`)
    })
  }
  const joinInbox = () => {
    const asked = sinceOf(inbox)
    command('join_channel', { channel: 'arqonbus:inbox', ...asked }, (reply) => {
      if (reply?.status !== 'success') return void (reply !== undefined && joinInbox())
      joined(inbox, reply.result, (asked as { since?: string }).since, false)
      isInboxReady = true
    })
  }

  /** Sends a message and notes what becomes of it. */
  const send = (message: { text: string; id: string; channel: string }) => {
    const publish = { process: id, f: 'publish', channel: message.channel, id: message.id } as const
    see({ ...publish, type: 'invoke' })
    pending.set(message.id, (reply) => {
      if (reply === undefined) return see({ ...publish, type: 'unknown' })
      if (reply.status === 'success') {
        count(reply.result.duplicate ? 'repeated' : 'acknowledged')
        return see({ ...publish, type: 'ok', position: reply.result.position, inPlace: !echo })
      }
      count(`publish ${reply.error!.code}`)
      see({ ...publish, type: reply.error!.code === 'outcome_unknown' ? 'unknown' : 'fail' })
    })
    line!.send(message.text)
  }
  const payload = () => ({ text: 'x'.repeat(random.chance(15) ? 2000 + random.below(6000) : random.below(200)) })
  const publish = () => {
    const places = [...world.channels, world.passing, ...world.rooms.map((room) => `${room}:*`)]
    const address = random.pick(places.filter((channel) => world.mayRead(id, channel)))
    sendNew('event', address, address)
  }
  const sendPrivate = () => {
    const to = [...new Set(Array.from({ length: 1 + random.below(3) }, () => random.pick(world.players)))]
    sendNew('private', `${world.rooms[0]}:pm`, inbox, { to })
  }
  const sendNew = (type: string, address: string, channel: string, metadata?: object) => {
    const messageId = `arq_${id}-${++serial}`
    const isAcknowledged = random.chance(60)
    const text = envelope(messageId, type, address, payload(), isAcknowledged ? { ...metadata, ack: true } : metadata)
    const message = { text, id: messageId, channel }
    // A channel that is deleted and made again has another log: there the same message would be a new one.
    if (isAcknowledged && address !== world.passing) sent.push(message)
    send(message)
  }
  const sendAgain = () => {
    const message = sent[sent.length - 1 - random.below(Math.min(10, sent.length))]
    if (message !== undefined && !pending.has(message.id)) send(message)
  }

  const frame = (text: string) => {
    const got = JSON.parse(text)
    if (got.type === 'event' || got.type === 'private') {
      const channel = got.type === 'private' ? inbox : `${got.room}:${got.channel}`
      // It is live from the welcome on; what comes ahead of the recovery comes again with it.
      if (channel === inbox && !isInboxReady) return
      const { position } = got.metadata
      reached.set(channel, { position, id: got.id })
      begun.add(channel)
      see({ process: id, f: 'deliver', channel, id: got.id, position })
    } else if (got.type === 'command_response') {
      const done = pending.get(got.payload.request_id)
      pending.delete(got.payload.request_id)
      done?.(got.payload)
    } else if (got.payload.event === 'gap') {
      count('gap')
      const channel = `${got.room}:${got.channel}`
      reached.set(channel, { position: got.payload.next })
      see({ process: id, f: 'gap', channel, next: got.payload.next })
    } else if (got.payload.event === 'channel_deleted') {
      count('channel_deleted')
      const channel = `${got.room}:${got.channel}`
      reached.delete(channel)
      see({ process: id, f: 'deleted', channel, last: got.payload.last })
    } else if (got.payload.event === 'welcome') {
      session = got.payload.session
      isUp = true
      joinInbox()
      if (wanted.size > 0) joinAll([...wanted])
    }
  }
  const ended = (code: number) => {
    count(`ended ${code}`)
    for (const address of [...direct, ...[...wide].map((room) => `${room}:*`)]) wanted.add(address)
    begun.clear()
    direct.clear()
    wide.clear()
    line = undefined
    isUp = false
    isInboxReady = false
    see({ process: id, f: 'lost' })
    for (const done of [...pending.values()]) done(undefined)
    pending.clear()
    isChanging = false
  }

  const self: Player = {
    id,
    get isUp() {
      return isUp
    },
    get isSettled() {
      return isUp && wanted.size === 0 && !isChanging && isInboxReady
    },
    connect() {
      line ??= network.connect({ clientId: id, echo, session, frame, ended })
    },
    act() {
      if (line === undefined) return void (random.chance(40) && self.connect())
      if (random.chance(6)) line.isReading = !line.isReading
      if (random.chance(1)) return line.hangUp()
      if (!isUp) return
      if (!isChanging && wanted.size > 0) return joinAll([...wanted])
      const dice = random.below(100)
      if (dice < 55) publish()
      else if (dice < 63) sendPrivate()
      else if (dice < 67) sendAgain()
      else if (isChanging) return
      else if (dice < 82)
        join(random.pick(world.channels.filter((channel) => world.mayRead(id, channel))), random.chance(50))
      else if (dice < 88) join(`${random.pick(world.rooms)}:*`, random.chance(50))
      else if (dice < 97) {
        const all = [...direct, ...[...wide].map((room) => `${room}:*`)]
        if (all.length > 0) leave(random.pick(all))
      } else
        command('delete_channel', { channel: world.passing }, (reply) =>
          count(`delete ${reply?.error?.code ?? 'done'}`),
        )
    },
    comeBack() {
      self.connect()
      line!.isReading = true
      if (isUp && !isChanging && wanted.size > 0) joinAll([...wanted])
    },
    say(channel) {
      sendNew('event', channel, channel)
    },
    readHistory(channel) {
      const address = channel === inbox ? 'arqonbus:inbox' : channel
      const page = (after: string | undefined) =>
        command('history', { channel: address, limit: 1000, ...(after !== undefined && { after }) }, (reply) => {
          const messages = (reply?.result?.messages ?? []) as { id: string; metadata: { position: string } }[]
          for (const message of messages)
            see({ process: id, f: 'history', channel, id: message.id, position: message.metadata.position })
          if (reply?.result?.has_more) page(messages.at(-1)!.metadata.position)
        })
      page(undefined)
    },
    hangUp: () => line?.hangUp(),
  }
  return self
}

const TIMESTAMP = '2026-01-01T00:00:00Z'

/** The origin of a log that nobody has heard of. */
const BIRTH = '0-0'

/** Room and channel of an address. */
function split(address: string): [room: string, channel: string] {
  const colon = address.indexOf(':')
  return [address.slice(0, colon), address.slice(colon + 1)]
}
