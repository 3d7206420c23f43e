/**
 * What happens on the bus, for the parts that only take note of it: telemetry, persistence, logging, and the
 * subscriptions that end with a channel.
 *
 * The registry exists before everything else, and each observer is added when it has been created. So no part needs
 * another one that comes later.
 */
import type { ErrorCode, ParsedEnvelope } from '@arqonbus/protocol'
import type { Ending } from './ending.ts'
import type { Channel, Client, Room, SubscriptionOptions } from './model.ts'

/** Takes note of what happens. Each event is optional for an observer; it is called in the tick in which it happens. */
export type BusObserver = {
  /** A client was admitted; it has joined nothing yet. */
  clientConnected(client: Client, isResumed: boolean): void
  /** A client has left everything, and is in no list any more. */
  clientDisconnected(client: Client, ending: Ending): void
  /** A client does not read fast enough to stay live, or to stay at all. */
  clientSlow(client: Client, what: 'behind' | 'closed'): void
  /** A subscription begins or ends. Without a channel it is one to the whole room. */
  joined(client: Client, room: Room, channel?: Channel): void
  left(client: Client, room: Room, channel?: Channel): void
  /** The options of a subscription have changed. */
  subscriptionChanged(
    client: Client,
    room: Room,
    channel: Channel | undefined,
    before: SubscriptionOptions | undefined,
  ): void
  /** A channel is there that was not: created, or restored from the store. */
  channelAdded(channel: Channel): void
  /** A client has created a channel. `channelAdded` is called before it. */
  channelCreated(channel: Channel): void
  /** A channel was deleted, or removed because it was idle. Its subscribers still have their subscriptions. */
  channelEnded(channel: Channel): void
  /** A room that was active is paused. */
  roomPaused(room: Room): void
  /** A room, or a channel of it, was created, has changed, or is gone. */
  roomChanged(room: string, channel?: string): void
  /** A session has changed; `isNew` where it began. */
  sessionChanged(clientId: string, isNew?: boolean): void
  /** A log has accepted a message. `to` is the same for all that go to the same place. Called for every message. */
  messageRouted(client: Client, envelope: ParsedEnvelope, to: unknown): void
  /** A frame was refused, or a message by its log, or a command by its rate. */
  frameRefused(client: Client, code: ErrorCode, envelope: Partial<ParsedEnvelope>, command?: string): void
  /** A command has run, with whatever result. */
  commandRun(client: Client): void
  /** The store became unreachable, or can be reached again. */
  storageChanged(event: 'storage_degraded' | 'storage_recovered', details: Readonly<Record<string, unknown>>): void
}

/** All observers as one. */
export type BusObservers = BusObserver & {
  /** Adds an observer: it takes note after those that were added before it. */
  add(observer: Partial<BusObserver>): void
}

/** With parameters by name: a list of arguments would cost an array for each call. */
type Note = (a?: unknown, b?: unknown, c?: unknown, d?: unknown) => void

/** Creates a registry without observers. */
export function createBusObservers(): BusObservers {
  const notes = new Map<keyof BusObserver, Note[]>()
  const notesOf = (event: keyof BusObserver): Note[] => {
    const noted: Note[] = []
    notes.set(event, noted)
    return noted
  }
  const all = <Event extends keyof BusObserver>(event: Event): BusObserver[Event] => {
    const noted = notesOf(event)
    const call: Note = (a, b, c, d) => {
      for (const note of noted) note(a, b, c, d)
    }
    return call as BusObserver[Event]
  }
  const routed = notesOf('messageRouted')
  const added = all('channelAdded')
  const created = all('channelCreated')
  return {
    add(observer) {
      for (const [event, noted] of notes) {
        const note = observer[event]
        if (note !== undefined) noted.push(note as Note)
      }
    },
    clientConnected: all('clientConnected'),
    clientDisconnected: all('clientDisconnected'),
    clientSlow: all('clientSlow'),
    joined: all('joined'),
    left: all('left'),
    subscriptionChanged: all('subscriptionChanged'),
    channelAdded: added,
    channelCreated(channel) {
      added(channel)
      created(channel)
    },
    channelEnded: all('channelEnded'),
    roomPaused: all('roomPaused'),
    roomChanged: all('roomChanged'),
    sessionChanged: all('sessionChanged'),
    // For every message: a loop of its own calls the same few functions always, which the runtime makes faster.
    messageRouted(client, envelope, to) {
      for (const note of routed) note(client, envelope, to)
    },
    frameRefused: all('frameRefused'),
    commandRun: all('commandRun'),
    storageChanged: all('storageChanged'),
  }
}
