/** A bus whose events go to one receiver, and its log lines about webhooks. */
import { type Config, webhooksOf } from '@arqonbus/server'
import { startBus, type TestBus } from '@arqonbus/testing'
import { createLogLines } from '../../support/log-lines.ts'
import { SECRET } from './receiver.ts'

/** The bus, and what it logs about webhooks. */
export type HookedBus = TestBus & {
  lines(): readonly { readonly event?: string; readonly [field: string]: unknown }[]
  /** Requests that ended so, and events that were dropped for that reason. */
  requests(outcome: string): Promise<number>
  dropped(reason: string): Promise<number>
}

/** Starts it; receivers at private addresses are allowed. */
export async function startHooked(
  url: string,
  events: readonly string[],
  config: Partial<Config> = {},
): Promise<HookedBus> {
  const { lines, logger } = createLogLines()
  const webhooks = webhooksOf([{ url, events, secret: SECRET }])
  const bus = await startBus({ webhooksAllowPrivate: true, rateLimit: null, webhooks, ...config }, { logger })
  return {
    ...bus,
    lines: () => lines.filter(({ event }) => event?.startsWith('webhook_')),
    requests: (outcome) => bus.metric(`arqonbus_webhook_requests_total{outcome="${outcome}"}`),
    dropped: (reason) => bus.metric(`arqonbus_webhook_events_dropped_total{reason="${reason}"}`),
  }
}
