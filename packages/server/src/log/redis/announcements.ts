/**
 * The channels on which Redis announces what is appended. Logs share 512 of them, by the tag of their name: a channel
 * is subscribed to while a log of it is open.
 */
import { newsChannelOf } from '../../redis/keys.ts'
import type { Connections } from '../../redis/link.ts'

/** The channels of the open logs, and the subscriptions of the present connection. */
export class Announcements {
  /** How many logs are open for each channel, whether Redis can be reached or not. */
  readonly #open = new Map<string, number>()
  /** The channels that are subscribed to, or will be when `#subscribing` is over. */
  #subscribed = new Set<string>()
  #subscribing: Promise<unknown> = Promise.resolve()

  opened(log: string): void {
    const channel = newsChannelOf(log)
    this.#open.set(channel, (this.#open.get(channel) ?? 0) + 1)
  }

  /** Returns the channel of the log where that is to be left: no log of it is open any more. */
  closed(log: string): string | undefined {
    const channel = newsChannelOf(log)
    const count = (this.#open.get(channel) ?? 0) - 1
    if (count > 0) return void this.#open.set(channel, count)
    this.#open.delete(channel)
    return this.#subscribed.delete(channel) ? channel : undefined
  }

  /** There is a new connection: subscribes to the channels of all open logs. */
  async begin({ news }: Connections): Promise<void> {
    this.#subscribed = new Set(this.#open.keys())
    this.#subscribing = Promise.resolve()
    if (this.#subscribed.size > 0) await news.ssubscribe(...this.#subscribed)
  }

  /** Resolves when the announcements of these logs, and of those before them, are heard. */
  subscribed({ news }: Connections, logs: Iterable<string>): Promise<unknown> {
    const wanted = new Set(Array.from(logs, newsChannelOf)).difference(this.#subscribed)
    for (const channel of wanted) this.#subscribed.add(channel)
    if (wanted.size > 0) this.#subscribing = Promise.all([this.#subscribing, news.ssubscribe(...wanted)])
    return this.#subscribing
  }
}
