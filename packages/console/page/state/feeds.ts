/** The messages of the channels that the console has joined: the last ones of each, and the history above them. */
import type { Message } from '@arqonbus/client'
import { type Signal, signal } from '@preact/signals'
import { createPulse } from '../kit/frames.ts'
import { createRing } from '../kit/ring.ts'
import { client, onBus } from './bus.ts'
import { type Line, lineOf, mergeLines, noticeOf } from './lines.ts'
import { type Refusal, refusalOf } from './run.ts'
import { noteReceived } from './telemetry.ts'

/** A channel that the console is subscribed to. */
export type Feed = {
  readonly address: string
  readonly pulse: Signal<number>
  readonly state: Signal<'joining' | 'joined' | 'refused'>
  readonly error: Signal<Refusal | undefined>
  /** The rows to show: the last ones, or those at which the feed was paused with the history above them. */
  lines(): readonly Line[]
  /** The number of messages since the pause. */
  readonly behind: number
  readonly paused: Signal<boolean>
  /** Whether the page stays in the channel after its view is left. */
  readonly stays: Signal<boolean>
  pause(): void
  resume(): void
  /** Loads the next page of history above the shown rows; pauses the feed. */
  older(): Promise<number>
  /** False if there is no older message. */
  readonly hasOlder: Signal<boolean>
  /** Joins, again after the channel was left. */
  begin(): Promise<void>
}

/** The most live rows of a channel. */
export const LIVE_LINES = 1000
/** The most rows of a channel, after which no older ones are loaded. */
const MOST_LINES = 20_000
const PAGE = 200

const feeds = new Map<string, Feed & { take(message: Message): void; note(text: string): void }>()

/** The feed of a channel; joins the channel unless it is joined. */
export function watch(address: string): Feed {
  const known = feeds.get(address)
  if (known !== undefined) return known
  const feed = createFeed(address)
  feeds.set(address, feed)
  void feed.begin()
  return feed
}

/** Leaves the channel and drops its messages. */
export function unwatch(address: string): void {
  if (!feeds.delete(address) || address === INBOX) return
  // A failure does not matter: without a connection the channel is left already.
  client.value?.leave(address).catch(() => {})
}

onBus('message', (message) => {
  const address = `${message.room}:${message.channel}`
  noteReceived(address)
  if (message.type === 'private') {
    feeds.get(INBOX)?.take(message)
    return
  }
  feeds.get(address)?.take(message)
  if (message.channel !== '*') feeds.get(`${message.room}:*`)?.take(message)
})
onBus('gap', ({ address, reason }) => feeds.get(address)?.note(`Messages may be missing here: ${reason}.`))
onBus('left', ({ address, error }) => {
  const feed = feeds.get(address)
  if (feed === undefined) return
  feed.state.value = 'refused'
  feed.error.value = refusalOf(error)
})
// A client with another token has joined nothing yet; one that reconnected joins by itself.
onBus('connected', () => {
  for (const [address, feed] of feeds) if (!client.value?.subscriptions.includes(address)) void feed.begin()
})

/** The log of private messages, as an address. */
export const INBOX = 'arqonbus:inbox'

function createFeed(address: string) {
  const live = createRing<Line>(LIVE_LINES)
  const { signal: pulse, beat } = createPulse()
  const state = signal<'joining' | 'joined' | 'refused'>('joining')
  const error = signal<Refusal | undefined>(undefined)
  const paused = signal(false)
  const stays = signal(false)
  const hasOlder = signal(true)
  let frozen: readonly Line[] = []
  let totalAtPause = 0
  let reading: Promise<number> | undefined

  const shown = () => (paused.value ? frozen : live.list())

  function pause(): void {
    if (paused.value) return
    frozen = live.list()
    totalAtPause = live.total
    paused.value = true
  }

  async function readOlder(): Promise<number> {
    const bus = client.value
    if (bus === undefined || frozen.length >= MOST_LINES) return 0
    const before = frozen.find(({ message }) => message?.metadata?.position !== undefined)?.message?.metadata?.position
    try {
      const page = await bus.history(address, {
        limit: PAGE,
        order: before === undefined ? 'desc' : 'asc',
        ...(before && { before }),
      })
      const messages = before === undefined ? page.messages.toReversed() : page.messages
      frozen = [...messages.map(lineOf), ...frozen]
      hasOlder.value = page.has_more && messages.length > 0
      beat()
      return messages.length
    } catch (problem) {
      hasOlder.value = false
      error.value = refusalOf(problem)
      return 0
    }
  }

  /** Joins, and adds the history to the live messages. */
  async function begin(): Promise<void> {
    const bus = client.value
    if (bus === undefined) return
    try {
      state.value = 'joining'
      if (address !== INBOX) await bus.join(address)
      state.value = 'joined'
      error.value = undefined
    } catch (problem) {
      state.value = 'refused'
      error.value = refusalOf(problem)
      return
    }
    try {
      const { messages, has_more: hasMore } = await bus.history(address, { limit: PAGE, order: 'desc' })
      const merged = mergeLines(messages.toReversed(), live.list())
      live.clear()
      for (const line of merged) live.push(line)
      hasOlder.value = hasMore
      beat()
    } catch {
      // Channels that are only live have no history.
      hasOlder.value = false
    }
  }

  return {
    address,
    pulse,
    state,
    error,
    paused,
    stays,
    hasOlder,
    get behind() {
      return paused.value ? live.total - totalAtPause : 0
    },
    lines: shown,
    pause,
    resume() {
      paused.value = false
      frozen = []
      hasOlder.value = true
      beat()
    },
    older() {
      pause()
      reading ??= readOlder().finally(() => {
        reading = undefined
      })
      return reading
    },
    take(message: Message) {
      live.push(lineOf(message))
      beat()
    },
    note(text: string) {
      live.push(noticeOf(text))
      beat()
    },
    begin,
  }
}
