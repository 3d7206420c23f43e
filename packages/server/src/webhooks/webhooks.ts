/**
 * Webhooks: events of the bus for receivers outside, over HTTPS (docs/guide/webhooks.md). An observer of the bus, which
 * writes what happens into a queue for each receiver that wants it; the sender of that receiver delivers it.
 */
import { hash } from 'node:crypto'
import { isRestricted } from '../auth/access.ts'
import type { WebhookConfig, WebhookEventType } from '../config/index.ts'
import type { Clock } from '../kit/clock.ts'
import { randomId } from '../kit/random-id.ts'
import type { Entry } from '../log/contract.ts'
import type { Logger } from '../observability/logger.ts'
import type { Metrics } from '../observability/metrics.ts'
import type { BusObserver } from '../state/bus-observer.ts'
import type { Channel, Client, Feed } from '../state/model.ts'
import type { EventQueue, QueueOptions } from './event-queue.ts'
import { eventText } from './event-text.ts'
import { type SenderDeps, WebhookSender } from './sender.ts'
import { type EventPlace, wants, wantsType } from './webhook-routes.ts'

/** What webhooks need. */
export type WebhooksDeps = Pick<SenderDeps, 'post' | 'later' | 'random' | 'userAgent'> & {
  readonly clock: Pick<Clock, 'now' | 'monotonic'>
  readonly logger: Logger
  readonly metrics: Pick<Metrics, 'webhookDelivered' | 'webhookRequest' | 'webhookEventsDropped'>
  readonly limits: { readonly webhooksQueueEvents: number; readonly webhooksQueueBytes: number }
  /** Creates the queue of a webhook; its id is the same in every process that has a webhook with this URL. */
  readonly createQueue: (id: string, options: QueueOptions) => EventQueue
  readonly findChannel: (room: string, channel: string) => Channel | undefined
  /** How many participants a channel has, on all nodes. */
  readonly countInChannel: (channel: Channel) => number
  /** False where the log adds the events of messages to the queues itself, so that the two survive together. */
  readonly takesMessages: boolean
  /** Which webhooks there are has changed. */
  readonly changed?: (active: readonly ActiveWebhook[]) => void
}

/** A webhook that gets events. */
export type ActiveWebhook = { readonly id: string; readonly config: WebhookConfig }

type Webhook = {
  readonly id: string
  config: WebhookConfig
  readonly queue: EventQueue
  readonly sender: WebhookSender
}

/** The webhooks of a server. */
export class Webhooks {
  /**
   * Called for each message that a log delivers, by its first feed; undefined where no webhook wants messages: then
   * that is all that they cost.
   */
  onMessage: ((feed: Feed, entry: Entry) => void) | undefined
  readonly #deps: WebhooksDeps
  /** In the order of the configuration, without those whose receiver is gone. */
  #active: readonly Webhook[] = []
  #goneCount = 0
  /** The webhooks that want the messages of a feed: found once, and asked for with every message. */
  #byFeed = new WeakMap<Feed, readonly Webhook[]>()
  #wanted = new Set<WebhookEventType>()
  #lastNumber = 0
  /** Ids are unique over all processes. */
  readonly #ownId = randomId(12)

  constructor(deps: WebhooksDeps) {
    this.#deps = deps
  }

  /** Adds the events of the bus to the queues. */
  readonly observer: Partial<BusObserver> = {
    clientConnected: (client, resumed) => {
      if (this.#wanted.has('client.connected')) this.#add('client.connected', { ...fieldsOf(client), resumed })
    },
    clientDisconnected: (client, { code, reason }) => {
      if (!this.#wanted.has('client.disconnected')) return
      const connected_ms = Math.round(this.#deps.clock.monotonic() - client.connectedAtMonotonic)
      this.#add('client.disconnected', { ...fieldsOf(client), connected_ms, code, reason })
    },
    joined: (_client, _room, channel) => this.#channelChanged('channel.occupied', channel, 1),
    left: (_client, _room, channel) => this.#channelChanged('channel.vacated', channel, 0),
    roomPaused: ({ name }) => {
      if (this.#wanted.has('room.paused'))
        this.#add('room.paused', { room: name }, { room: name, channel: '*', isPrivate: false })
    },
  }

  /** What waits, of all webhooks together. */
  usage(): { readonly events: number; readonly bytes: number } {
    const sum = (read: (queue: EventQueue) => number) =>
      this.#active.reduce((total, { queue }) => total + read(queue), 0)
    return { events: sum(({ size }) => size), bytes: sum(({ bytes }) => bytes) }
  }

  /** How many webhooks do not work: their last request failed, or their receiver is gone. */
  failing(): number {
    return this.#goneCount + this.#active.filter(({ sender }) => sender.isFailing).length
  }

  /**
   * These are the webhooks from now on. One with the URL of an earlier one keeps its queue; the events of those that
   * are not among them any more are dropped.
   */
  replace(configs: readonly WebhookConfig[]): void {
    const before = new Map(this.#active.map((webhook) => [webhook.id, webhook]))
    this.#goneCount = 0
    this.#activate(
      configs.map((config) => {
        const id = idOf(config)
        const known = before.get(id)
        if (known === undefined) return this.#create(id, config)
        before.delete(id)
        known.config = config
        known.sender.retarget(config)
        return known
      }),
    )
    for (const webhook of before.values()) this.#end(webhook, 'removed')
    for (const { sender } of this.#active) sender.wake()
  }

  /** Delivers what waits, within this time; logs what ends with the process. */
  async close(withinMs: number): Promise<void> {
    await Promise.all(this.#active.map(({ sender }) => sender.close(withinMs)))
    const lost = await Promise.all(this.#active.map(({ queue }) => queue.close()))
    this.#activate([])
    const count = lost.reduce((sum, one) => sum + one, 0)
    if (count === 0) return
    this.#deps.metrics.webhookEventsDropped('shutdown', count)
    this.#deps.logger.error({ event: 'webhook_events_lost', count, reason: 'the server ended' })
  }

  #create(id: string, config: WebhookConfig): Webhook {
    const { createQueue, limits, metrics, logger, clock } = this.#deps
    const label = { webhook: id, receiver: new URL(config.url).origin }
    let isFull = false
    const queue = createQueue(id, {
      maxEvents: limits.webhooksQueueEvents,
      maxBytes: limits.webhooksQueueBytes,
      filled() {
        if (queue.size < limits.webhooksQueueEvents / 2 && queue.bytes < limits.webhooksQueueBytes / 2) isFull = false
        sender.wake()
      },
      dropped(count) {
        metrics.webhookEventsDropped('queue_full', count)
        // One line when it becomes full.
        if (!isFull) logger.warn({ event: 'webhook_queue_full', ...label, events: queue.size, bytes: queue.bytes })
        isFull = true
      },
    })
    const webhook: Webhook = {
      id,
      config,
      queue,
      sender: new WebhookSender(
        { ...this.#deps, label, queue, now: clock.now, gone: () => this.#gone(webhook) },
        config,
      ),
    }
    const { sender } = webhook
    return webhook
  }

  /** 410: nothing more is sent, until the configuration is read again. */
  #gone(webhook: Webhook): void {
    this.#goneCount++
    this.#activate(this.#active.filter((one) => one !== webhook))
    this.#end(webhook, 'gone')
  }

  #end({ id, config, queue, sender }: Webhook, reason: 'gone' | 'removed'): void {
    const { metrics, logger } = this.#deps
    sender.stop()
    queue.clear().then(
      (count) => {
        if (count === 0) return
        metrics.webhookEventsDropped(reason, count)
        const receiver = new URL(config.url).origin
        logger.warn({ event: 'webhook_events_dropped', webhook: id, receiver, reason, count })
      },
      (problem) => logger.warn({ event: 'webhook_queue_unreachable', webhook: id, error: String(problem) }),
    )
  }

  #activate(active: readonly Webhook[]): void {
    this.#active = active
    this.#byFeed = new WeakMap()
    this.#wanted = new Set(active.flatMap(({ config }) => config.events.map(({ type }) => type)))
    this.onMessage = this.#wanted.has('message.published') ? this.#message : undefined
    this.#deps.changed?.(active)
  }

  #add(type: WebhookEventType, data: object, place?: EventPlace): void {
    const wanting = this.#active.filter(({ config }) =>
      place === undefined ? wantsType(config, type) : wants(config, type, place),
    )
    if (wanting.length > 0) this.#push(wanting, type, this.#deps.clock.now(), JSON.stringify(data))
  }

  #push(webhooks: readonly Webhook[], type: WebhookEventType, ms: number, data: string): void {
    const id = `evt_${this.#ownId}${(++this.#lastNumber).toString(36)}`
    const event = { id, text: eventText({ id, type, ms, data }) }
    for (const { queue } of webhooks) queue.push(event)
  }

  #channelChanged(type: WebhookEventType, channel: Channel | undefined, participants: number): void {
    if (channel === undefined || !this.#wanted.has(type)) return
    if (this.#deps.countInChannel(channel) !== participants) return
    const place = { room: channel.room.name, channel: channel.name }
    this.#add(type, place, { ...place, isPrivate: isRestricted(channel) })
  }

  readonly #message = (feed: Feed, { ms, text }: Entry): void => {
    const wanting = this.#byFeed.get(feed) ?? this.#wantingMessagesOf(feed)
    if (wanting.length === 0) return
    if (this.#deps.takesMessages) return this.#push(wanting, 'message.published', ms, text)
    for (const { queue, sender } of wanting) if (!queue.isElsewhere) sender.wake()
  }

  #wantingMessagesOf(feed: Feed): readonly Webhook[] {
    const { room, channel } = feed.address
    const found = channel === '*' ? undefined : this.#deps.findChannel(room, channel)
    // A channel that has ended meanwhile may have been private.
    const isPrivate = channel !== '*' && (found?.feed !== feed || isRestricted(found))
    const wanting = this.#active.filter(({ config }) =>
      wants(config, 'message.published', { room, channel, isPrivate }),
    )
    this.#byFeed.set(feed, wanting)
    return wanting
  }
}

/** The id of a webhook: that of its URL, which may hold a secret. */
const idOf = ({ url }: WebhookConfig): string => hash('sha256', url).slice(0, 12)

const fieldsOf = ({ id, kind, profile }: Client) => ({
  client_id: id,
  client_type: profile.clientType,
  ...(profile.screenName !== undefined && { screen_name: profile.screenName }),
  kind,
})
