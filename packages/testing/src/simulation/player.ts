/** A client with random behaviour, which records what it observes. It knows only the protocol. */
import type { Observation } from '../checker.ts'
import type { Random } from '../random.ts'
import type { ClientConnection } from './connection.ts'
import type { Network } from './network.ts'
import { type Reply, Requests } from './requests.ts'
import { type Observer, Subscriptions } from './subscriptions.ts'
import { CHANNELS, CLIENT_IDS, mayRead, PUBLISH_ADDRESSES, ROOMS, TEMPORARY_CHANNEL } from './world.ts'

/** What a player is created with. */
export type PlayerOptions = Observer & { readonly random: Random; readonly network: Network }

/** A message that was sent, and may be sent again. */
type SentMessage = { readonly id: string; readonly channel: string; readonly text: string }

/** A client with random behaviour; not connected at first. */
export class Player {
  readonly #options: PlayerOptions
  readonly #inbox: string
  readonly #requests: Requests
  readonly #subscriptions: Subscriptions
  readonly #sent: SentMessage[] = []
  #connection: ClientConnection | undefined
  #session: string | undefined
  /** From the welcome until the connection ends. */
  #isUp = false
  #isInboxJoined = false
  /** One join or leave at a time: a reply refers to the subscriptions of its request. */
  #isChanging = false

  constructor(options: PlayerOptions) {
    this.#options = options
    this.#inbox = `inbox:${options.id}`
    this.#requests = new Requests(options.id, (text) => this.#connection!.sendToServer(text))
    this.#subscriptions = new Subscriptions(options)
  }

  /** True when it is connected and has recovered all its subscriptions. */
  get isSettled(): boolean {
    return this.#isUp && this.#subscriptions.lost.size === 0 && !this.#isChanging && this.#isInboxJoined
  }

  /** Takes one random action. */
  act(): void {
    const { random } = this.#options
    const connection = this.#connection
    if (connection === undefined) {
      if (random.chance(40)) this.#connect()
      return
    }
    if (random.chance(6)) connection.isReading = !connection.isReading
    if (random.chance(1)) return connection.close()
    if (!this.#isUp) return
    if (this.#mustRejoin) return this.#rejoin()
    const dice = random.below(100)
    if (dice < 55) this.#publish()
    else if (dice < 63) this.#publishPrivate()
    else if (dice < 67) this.#publishAgain()
    else if (!this.#isChanging) this.#changeSubscriptions(dice)
  }

  #changeSubscriptions(dice: number): void {
    const { id, random } = this.#options
    if (dice < 82) this.#join(random.pick(CHANNELS.filter((channel) => mayRead(id, channel))))
    else if (dice < 88) this.#join(`${random.pick(ROOMS)}:*`)
    else if (dice < 97) this.#leave()
    else this.#deleteTemporaryChannel()
  }

  /** Connects, reads, and recovers its subscriptions; repeat it until `isSettled`. */
  recover(): void {
    this.#connect()
    this.#connection!.isReading = true
    if (this.#mustRejoin) this.#rejoin()
  }

  /** Publishes a new message to a channel. */
  publishTo(channel: string): void {
    this.#sendNew('event', channel)
  }

  /** Reads the history of a channel, by default of its inbox, to its end. */
  readHistory(channel = this.#inbox, after?: string): void {
    const address = channel === this.#inbox ? 'arqonbus:inbox' : channel
    this.#requests.command('history', { channel: address, limit: 1000, after }, (reply) => {
      const messages: { id: string; metadata: { position: string } }[] = reply?.result?.messages ?? []
      for (const { id, metadata } of messages)
        this.#options.record({ f: 'history', channel, id, position: metadata.position })
      if (reply?.result?.has_more) this.readHistory(channel, messages.at(-1)!.metadata.position)
    })
  }

  /** Closes its connection. */
  close(): void {
    this.#connection?.close()
  }

  #connect(): void {
    const { id, echo, network } = this.#options
    this.#connection ??= network.connect({
      clientId: id,
      echo,
      session: this.#session,
      onFrame: (text) => this.#onFrame(text),
      onClose: (code) => this.#onClose(code),
    })
  }

  #onFrame(text: string): void {
    const { id, type, room, channel, payload, metadata } = JSON.parse(text)
    const address = `${room}:${channel}`
    if (type === 'command_response') this.#requests.replied(payload)
    else if (type === 'event') this.#subscriptions.delivered(address, id, metadata.position)
    else if (type === 'private') {
      // The inbox is live from the welcome on; what is delivered before the recovery is delivered again with it.
      if (this.#isInboxJoined) this.#subscriptions.delivered(this.#inbox, id, metadata.position)
    } else if (payload.event === 'gap') this.#subscriptions.missed(address, payload.next)
    else if (payload.event === 'channel_deleted') this.#subscriptions.deleted(address, payload.last)
    else if (payload.event === 'welcome') this.#onWelcome(payload.session)
  }

  #onWelcome(session: string): void {
    this.#session = session
    this.#isUp = true
    this.#joinInbox()
    if (this.#mustRejoin) this.#rejoin()
  }

  #onClose(code: number): void {
    this.#options.count(`ended ${code}`)
    this.#connection = undefined
    this.#isUp = false
    this.#isInboxJoined = false
    this.#subscriptions.disconnected()
    this.#requests.abandon()
    this.#isChanging = false
  }

  #joinInbox(): void {
    const request = this.#subscriptions.inboxRequest()
    this.#requests.command('join_channel', request, (reply) => {
      if (reply?.status === 'success') {
        this.#subscriptions.joinedInbox(request, reply.result)
        this.#isInboxJoined = true
      } else if (reply !== undefined) this.#joinInbox()
    })
  }

  get #mustRejoin(): boolean {
    return this.#isUp && !this.#isChanging && this.#subscriptions.lost.size > 0
  }

  #rejoin(): void {
    const requests = Array.from(this.#subscriptions.lost, (address) => this.#subscriptions.joinRequest(address, true))
    this.#change('join_channel', { channels: requests }, ({ results }) => {
      for (const [i, result] of results.entries()) {
        if (result.error === undefined) this.#subscriptions.joined(requests[i]!, result)
        else this.#options.count(`join ${result.error.code}`)
      }
    })
  }

  #join(address: string): void {
    const request = this.#subscriptions.joinRequest(address, this.#options.random.chance(50))
    this.#change('join_channel', request, (result) => this.#subscriptions.joined(request, result))
  }

  #leave(): void {
    const { addresses } = this.#subscriptions
    if (addresses.length === 0) return
    const address = this.#options.random.pick(addresses)
    this.#change('leave_channel', { channel: address }, () => this.#subscriptions.left(address))
  }

  #change(name: string, parameters: object, onResult: (result: NonNullable<Reply['result']>) => void): void {
    this.#isChanging = true
    this.#requests.command(name, parameters, (reply) => {
      this.#isChanging = false
      if (reply?.status === 'success') onResult(reply.result)
      else if (reply !== undefined) this.#options.count(`${name} ${reply.error?.code}`)
    })
  }

  #deleteTemporaryChannel(): void {
    this.#requests.command('delete_channel', { channel: TEMPORARY_CHANNEL }, (reply) =>
      this.#options.count(`delete ${reply?.error?.code ?? 'done'}`),
    )
  }

  #publish(): void {
    const { id, random } = this.#options
    this.publishTo(random.pick(PUBLISH_ADDRESSES.filter((address) => mayRead(id, address))))
  }

  #publishPrivate(): void {
    const { random } = this.#options
    const to = new Set(Array.from({ length: 1 + random.below(3) }, () => random.pick(CLIENT_IDS)))
    this.#sendNew('private', `${ROOMS[0]}:pm`, { to: [...to] })
  }

  #publishAgain(): void {
    const { random } = this.#options
    const message = this.#sent[this.#sent.length - 1 - random.below(Math.min(10, this.#sent.length))]
    if (message !== undefined && !this.#requests.isPending(message.id)) this.#send(message)
  }

  #sendNew(type: 'event' | 'private', address: string, recipients?: { readonly to: readonly string[] }): void {
    const { random } = this.#options
    const id = this.#requests.newId()
    const isAcknowledged = random.chance(60)
    const payload = { text: 'x'.repeat(random.chance(15) ? 2000 + random.below(6000) : random.below(200)) }
    const metadata = isAcknowledged ? { ...recipients, ack: true } : recipients
    const text = this.#requests.envelope({ id, type, address, payload, metadata })
    const message = { id, channel: type === 'private' ? this.#inbox : address, text }
    // A channel that is deleted and created again has another log, in which the message would not be a duplicate.
    if (isAcknowledged && address !== TEMPORARY_CHANNEL) this.#sent.push(message)
    this.#send(message)
  }

  /** Sends a message, and records its outcome. */
  #send({ id, channel, text }: SentMessage): void {
    const { record } = this.#options
    const publish = { f: 'publish', channel, id } as const
    record({ ...publish, type: 'invoke' })
    this.#requests.send(id, text, (reply) => record({ ...publish, ...this.#outcomeOf(reply) }))
  }

  #outcomeOf(reply: Reply | undefined): PublishOutcome {
    const { echo, count } = this.#options
    if (reply === undefined) return { type: 'unknown' }
    if (reply.status === 'success') {
      const { duplicate, position } = reply.result
      count(duplicate ? 'repeated' : 'acknowledged')
      return { type: 'ok', position, inPlace: !echo }
    }
    const { code } = reply.error!
    count(`publish ${code}`)
    return { type: code === 'outcome_unknown' ? 'unknown' : 'fail' }
  }
}

type PublishOutcome = Pick<Extract<Observation, { f: 'publish' }>, 'type' | 'position' | 'inPlace'>
