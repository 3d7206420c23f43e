/** Which webhooks want an event. */
import { BUS } from '@arqonbus/protocol'
import { fitsAddress, type WebhookConfig, type WebhookEventType } from '../config/index.ts'

/** Where an event happened. For a room, the channel is `*`. */
export type EventPlace = {
  readonly room: string
  readonly channel: string
  /** True for a private channel: only a pattern that names it exactly fits. */
  readonly isPrivate: boolean
}

/** True where a webhook wants events of a type, wherever they happen. */
export const wantsType = ({ events }: WebhookConfig, type: WebhookEventType): boolean =>
  events.some((event) => event.type === type)

/** True where a webhook wants an event. */
export const wants = ({ events }: WebhookConfig, type: WebhookEventType, place: EventPlace): boolean =>
  // The inboxes of private messages are a channel of the bus's own room.
  place.room !== BUS &&
  events.some(({ type: one, pattern }) => {
    if (one !== type) return false
    if (place.isPrivate && pattern?.isExact !== true) return false
    return pattern === undefined || fitsAddress(pattern, place.room, place.channel)
  })
