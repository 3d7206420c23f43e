/** Events as text. */
import type { WebhookEventType } from '../config/index.ts'
import { isoTime } from '../kit/clock.ts'

/** What an event says. */
type Said = { readonly id: string; readonly type: WebhookEventType; readonly ms: number; readonly data: string }

/** An event as JSON. `data` is JSON; for a message, the envelope as subscribers get it, byte for byte. */
export const eventText = ({ id, type, ms, data }: Said): string =>
  `{"id":"${id}","type":"${type}","timestamp":"${isoTime(ms)}","data":${data}}`
