/**
 * What clients can make a server keep at most, by setting (docs/guide/operations.md#memory). Each row is enforced by the
 * part that keeps it; what is not here is bounded by the number of connections.
 */
import type { Config, OptionKey } from './options.ts'

/** What a subscription takes: an object of the bus, and a topic of the runtime. */
export const SUBSCRIPTION_BYTES = 550

/** Memory of a body and what is made of it, by its bytes: the bytes, their text, and the messages in it. */
const BODY_COST = 4

/** What a channel without messages takes. */
const CHANNEL_BYTES = 1024

/** The settings that bound memory, and how many bytes each allows. */
export function memoryBudgetsOf(config: Config): readonly { readonly key: OptionKey; readonly bytes: number }[] {
  const rows: { key: OptionKey; bytes: number }[] = [
    { key: 'historyBytes', bytes: config.historyBytes },
    { key: 'inboxBytes', bytes: config.inboxBytes },
    { key: 'dedupBytes', bytes: config.dedupBytes },
    { key: 'sendBufferTotal', bytes: config.sendBufferTotal },
    { key: 'fanoutBytes', bytes: config.fanoutBytes },
    { key: 'httpBodyBytes', bytes: BODY_COST * config.httpBodyBytes },
    { key: 'metadataBytes', bytes: config.metadataBytes },
    { key: 'sessionBytes', bytes: config.sessionBytes },
    { key: 'maxChannels', bytes: CHANNEL_BYTES * config.maxChannels },
    { key: 'maxSubscriptionsTotal', bytes: SUBSCRIPTION_BYTES * config.maxSubscriptionsTotal },
  ]
  const { redisUrl, webhooks, webhooksQueueBytes } = config
  if (webhooks.length > 0) rows.push({ key: 'webhooksQueueBytes', bytes: webhooks.length * webhooksQueueBytes })
  if (redisUrl === undefined) return rows
  return [
    ...rows,
    { key: 'redisQueueBytes', bytes: config.redisQueueBytes },
    { key: 'queuedBytes', bytes: config.queuedBytes },
  ]
}
