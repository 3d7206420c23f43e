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

/** A budget: how many bytes its setting allows, and how the two are related, in words. */
type MemoryBudget = { readonly key: OptionKey; readonly bytes: number; readonly form?: string }

/** The settings that bound memory; `%` in a form stands for the name of the setting. */
export function memoryBudgetsOf(config: Config): readonly MemoryBudget[] {
  const { redisUrl, webhooks, webhooksQueueBytes } = config
  const rows: MemoryBudget[] = [
    { key: 'historyBytes', bytes: config.historyBytes },
    { key: 'inboxBytes', bytes: config.inboxBytes },
    { key: 'dedupBytes', bytes: config.dedupBytes },
    { key: 'sendBufferTotal', bytes: config.sendBufferTotal },
    { key: 'fanoutBytes', bytes: config.fanoutBytes },
    { key: 'metadataBytes', bytes: config.metadataBytes },
    { key: 'sessionBytes', bytes: config.sessionBytes },
    { key: 'httpBodyBytes', bytes: BODY_COST * config.httpBodyBytes, form: `${BODY_COST} times %` },
    { key: 'maxChannels', bytes: CHANNEL_BYTES * config.maxChannels, form: `${CHANNEL_BYTES} bytes for each of %` },
    {
      key: 'maxSubscriptionsTotal',
      bytes: SUBSCRIPTION_BYTES * config.maxSubscriptionsTotal,
      form: `${SUBSCRIPTION_BYTES} bytes for each of %`,
    },
  ]
  if (webhooks.length > 0) {
    const bytes = webhooks.length * webhooksQueueBytes
    rows.push({ key: 'webhooksQueueBytes', bytes, form: '% of each webhook' })
  }
  if (redisUrl === undefined) return rows
  return [
    ...rows,
    { key: 'redisQueueBytes', bytes: config.redisQueueBytes },
    { key: 'queuedBytes', bytes: config.queuedBytes },
  ]
}
