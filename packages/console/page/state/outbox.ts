/**
 * Messages on their way: each is sent once, under one id, however often the connection is cut meanwhile. A message whose
 * outcome is unknown is sent again under the same id, which the bus recognises.
 */
import { ArqonBusError } from '@arqonbus/client'
import { newId } from '@arqonbus/protocol/ids'
import { type Signal, signal } from '@preact/signals'
import { makeRoom } from '../kit/make-room.ts'
import { counted } from '../kit/text.ts'
import { client, onBus } from './bus.ts'
import { type Refusal, refusalOf } from './run.ts'

/** What is sent. */
export type Outgoing = {
  readonly kind: 'channel' | 'private'
  readonly address: string
  readonly to: readonly string[]
  readonly payload: object
  readonly metadata: Record<string, unknown> | undefined
  /** `true`, a durability level, or `none`. */
  readonly ack: string
  /** As it was typed. */
  readonly text: string
}

/** A message on its way. */
export type Sending = Outgoing & {
  readonly id: string
  readonly sentAt: number
  readonly state:
    | { readonly name: 'pending' }
    /** There was no connection, or no acknowledgement in time: the message may have arrived. */
    | { readonly name: 'unknown' }
    /** The page was loaded again before it was confirmed: under another client id it would arrive twice. */
    | { readonly name: 'reloaded' }
    | { readonly name: 'refused'; readonly refusal: Refusal }
}

/** The messages to one target that are not accepted yet, and the acknowledgement of the last accepted one as text. */
export type Outbox = { readonly sending: readonly Sending[]; readonly last: string }

/** The most messages that wait at a time: to one target, and to all of them. */
export const mostWaiting = { toOne: 20, toAll: 100 } as const
/** The most outboxes; only empty ones are dropped for others, so there are as many more as messages wait. */
const MOST_BOXES = 100

const KEY = 'arqonbus-outbox'
const boxes = new Map<string, Signal<Outbox>>(stored())

const countWaiting = (): number => [...boxes.values()].reduce((sum, box) => sum + box.peek().sending.length, 0)

/** Messages that wait, to all targets. */
export const waitingToAll = signal(countWaiting())

/** The outbox of a target, such as an address. Those that were not asked for longest are dropped first. */
export function outboxFor(target: string): Signal<Outbox> {
  let box = boxes.get(target)
  if (box === undefined) {
    makeRoom(boxes, MOST_BOXES, (one) => one.peek().sending.length === 0)
    box = signal<Outbox>({ sending: [], last: '' })
  } else boxes.delete(target)
  boxes.set(target, box)
  return box
}

/** Sends a message. */
export function send(target: string, outgoing: Outgoing): void {
  const sending: Sending = { ...outgoing, id: newId(), sentAt: Date.now(), state: { name: 'pending' } }
  const box = outboxFor(target)
  box.value = { sending: [...box.value.sending, sending], last: '' }
  store()
  void attempt(target, sending)
}

/** Sends a message again under its id. */
export function sendAgain(target: string, sending: Sending): void {
  change(target, sending.id, { name: 'pending' })
  void attempt(target, sending)
}

/** Forgets a message that was not accepted. */
export function discard(target: string, id: string): void {
  const box = outboxFor(target)
  box.value = { ...box.value, sending: box.value.sending.filter((one) => one.id !== id) }
  store()
}

function change(target: string, id: string, state: Sending['state']): void {
  const box = outboxFor(target)
  box.value = { ...box.value, sending: box.value.sending.map((one) => (one.id === id ? { ...one, state } : one)) }
}

const unsettled = new Set(['closed', 'connection_lost', 'not_connected', 'outcome_unknown', 'reply_timeout'])

async function attempt(target: string, { id, ...message }: Sending): Promise<void> {
  const bus = client.value
  if (bus === undefined) return change(target, id, { name: 'unknown' })
  const { ack, metadata, payload } = message
  const asked = ack === 'none' ? undefined : ack === 'true' ? true : (ack as 'memory')
  const options = { id, ...(metadata && { metadata }), ...(asked !== undefined && { ack: asked }) } as { ack: true }
  try {
    const answer = await (message.kind === 'private'
      ? bus.private([...message.to], payload, options)
      : bus.publish(message.address, payload, options))
    discard(target, id)
    const box = outboxFor(target)
    box.value = { ...box.value, last: typeof answer === 'string' ? 'Sent, unconfirmed.' : acknowledged(answer) }
    if (typeof answer === 'string') remember(target, { ...message, id })
  } catch (error) {
    const isUnsettled = error instanceof ArqonBusError && unsettled.has(error.code)
    change(target, id, isUnsettled ? { name: 'unknown' } : { name: 'refused', refusal: refusalOf(error) })
  }
}

/** The last messages without an acknowledgement, of which only a refusal is reported. */
const unconfirmed = new Map<string, { readonly target: string; readonly sending: Sending }>()
function remember(target: string, sending: Sending): void {
  unconfirmed.set(sending.id, { target, sending })
  if (unconfirmed.size > mostWaiting.toOne) unconfirmed.delete(unconfirmed.keys().next().value as string)
}

onBus('refused', (error) => {
  const found = unconfirmed.get(error.requestId ?? '')
  if (found === undefined) return
  unconfirmed.delete(found.sending.id)
  const box = outboxFor(found.target)
  const state: Sending['state'] = unsettled.has(error.code)
    ? { name: 'unknown' }
    : { name: 'refused', refusal: refusalOf(error) }
  box.value = { sending: [...box.value.sending, { ...found.sending, state }], last: '' }
  store()
})

// After a reconnection, messages of unknown outcome are sent again, for as long as the bus recognises their ids.
onBus('connected', ({ limits }) => {
  for (const [target, box] of [...boxes])
    for (const one of box.value.sending)
      if (one.state.name === 'unknown' && Date.now() - one.sentAt < limits.dedup_window_ms) sendAgain(target, one)
})

function acknowledged({
  position,
  durability,
  recipients,
}: {
  position: string | null
  durability: string
  recipients?: number
}): string {
  const place = position === null ? 'without a position' : `at ${position}`
  const heard = recipients === undefined ? '' : `, ${counted(recipients, 'recipient')}`
  return `Accepted ${place} (${durability}${heard}).`
}

function store(): void {
  waitingToAll.value = countWaiting()
  const waiting = [...boxes].filter(([, { value }]) => value.sending.length > 0)
  try {
    sessionStorage.setItem(KEY, JSON.stringify(waiting.map(([target, { value }]) => [target, value.sending])))
  } catch {
    // The storage is full: pending messages are shown until the page is closed or loaded again.
  }
}

function stored(): [string, Signal<Outbox>][] {
  try {
    const found = JSON.parse(sessionStorage.getItem(KEY) ?? '[]') as [string, Sending[]][]
    return found.map(([target, waiting]) => {
      const sending = waiting.map((one): Sending => ({ ...one, state: { name: 'reloaded' } }))
      return [target, signal<Outbox>({ sending, last: '' })]
    })
  } catch {
    return []
  }
}
