/**
 * Queues in Redis: events survive this process. A message and its events are appended by one script, so that a message
 * that is stored has its events; all other events follow as soon as they are sent.
 *
 * All nodes add to one queue, and one of them delivers what is in it: the one that has its lease, which it renews as
 * long as it runs.
 */
import type { WebhookConfig } from '../config/index.ts'
import type { Every } from '../kit/timer.ts'
import { callScript, loadScripts } from '../log/redis/scripts.ts'
import type { Logger } from '../observability/logger.ts'
import { isReply, nameOfFault, outcomeOf } from '../redis/faults.ts'
import { keyOf } from '../redis/keys.ts'
import type { Connections, RedisLink } from '../redis/link.ts'
import { placeOfLog } from '../state/log-names.ts'
import { type EventQueue, type QueueOptions, QueueUnreachable } from './event-queue.ts'
import { type CallQueue, queueScripts } from './queue-scripts.ts'
import { RedisQueue } from './redis-queue.ts'
import { wants } from './webhook-routes.ts'

/** What queues in Redis need. */
type RedisQueuesDeps = {
  readonly link: RedisLink
  readonly logger: Logger
  readonly every: Every
  /** The name of this node, unlike that of any other and any earlier process. */
  readonly node: string
  readonly limits: { readonly webhooksQueueEvents: number; readonly webhooksQueueBytes: number }
}

/** How often a node looks for events of other nodes, and renews its leases; a lease lasts for several of these. */
const LOOK_MS = 500

/** The queues of all webhooks of a server. */
export class RedisQueues {
  readonly #deps: RedisQueuesDeps
  readonly #queues = new Set<RedisQueue>()
  #active: readonly { readonly id: string; readonly config: WebhookConfig }[] = []
  /** The queues that get the messages of a log, as text: found once, and asked for with every call. */
  #byLog = new WeakMap<object, string>()
  readonly #stopLooking: () => void

  constructor(deps: RedisQueuesDeps) {
    this.#deps = deps
    deps.link.use({
      prepare: ({ commands }) => loadScripts(commands, Object.values(queueScripts)),
      ready: () => {
        for (const queue of this.#queues) queue.ready()
      },
      away: () => {
        for (const queue of this.#queues) queue.away()
      },
    })
    this.#stopLooking = deps.every(LOOK_MS, () => {
      for (const queue of this.#queues) queue.look()
    })
  }

  /** The webhooks that get events from now on. */
  changed(active: readonly { readonly id: string; readonly config: WebhookConfig }[]): void {
    this.#active = active
    this.#byLog = new WeakMap()
  }

  /** The queues that get the messages of a log, as `append.lua` takes them. */
  of(log: { readonly name: string }): string {
    if (this.#active.length === 0) return ''
    const known = this.#byLog.get(log)
    if (known !== undefined) return known
    const { webhooksQueueEvents: maxEvents, webhooksQueueBytes: maxBytes } = this.#deps.limits
    const place = placeOfLog(log.name)
    const text = this.#active
      .filter(({ config }) => place !== undefined && wants(config, 'message.published', place))
      .map(({ id }) => `${nameOf(id)}\x1f${maxEvents}\x1f${maxBytes}\x1e`)
      .join('')
    this.#byLog.set(log, text)
    return text
  }

  /** Creates the queue of a webhook. */
  create(id: string, options: QueueOptions): EventQueue {
    const queue: RedisQueue = new RedisQueue({
      ...options,
      id,
      name: nameOf(id),
      node: this.#deps.node,
      call: this.#call,
      isReachable: () => this.#deps.link.isReady,
      closed: () => this.#queues.delete(queue),
    })
    this.#queues.add(queue)
    return queue
  }

  /** Ends the timer. */
  close(): void {
    this.#stopLooking()
  }

  readonly #call: CallQueue = async (script, keys, args, on = 'commands') => {
    const { link, logger } = this.#deps
    const { connections } = link
    if (connections === undefined) throw new QueueUnreachable(undefined)
    try {
      return await callLoaded(connections, () => callScript(connections[on], script, keys, args))
    } catch (problem) {
      // Where Redis has refused a call, the connection is not at fault.
      if (isReply(problem)) logger.warn({ event: 'webhook_queue_refused', reason: nameOfFault(problem) })
      else link.drop(connections, problem)
      throw new QueueUnreachable(problem)
    }
  }
}

async function callLoaded({ commands }: Connections, call: () => Promise<unknown>): Promise<unknown> {
  try {
    return await call()
  } catch (problem) {
    if (outcomeOf(problem) !== 'reload') throw problem
  }
  await loadScripts(commands, Object.values(queueScripts))
  return call()
}

const nameOf = (id: string): string => keyOf(`@webhook:${id}`)
