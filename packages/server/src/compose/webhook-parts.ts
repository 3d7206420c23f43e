/** Creates the webhooks of a server. */
import { lookup } from 'node:dns/promises'
import { readFileSync } from 'node:fs'
import { rootCertificates } from 'node:tls'
import { after } from '../kit/timer.ts'
import { versionInfo } from '../kit/version.ts'
import { createMemoryQueue } from '../webhooks/memory-queue.ts'
import { postBatch } from '../webhooks/post-batch.ts'
import { Webhooks } from '../webhooks/webhooks.ts'
import type { Core } from './core.ts'
import type { State } from './state.ts'
import type { Storage } from './storage.ts'

/** Creates the webhooks of the configuration. They can be replaced later. */
export function createWebhooks(core: Core, { log, eventQueues }: Storage, { rooms, directory }: State): Webhooks {
  const { config, clock, observers } = core
  const options = {
    resolve: (host: string) => lookup(host, { all: true }),
    allowPrivate: config.webhooksAllowPrivate,
    ca:
      config.webhooksTlsCa === undefined
        ? undefined
        : [...rootCertificates, readFileSync(config.webhooksTlsCa, 'utf8')],
    timeoutMs: config.webhooksTimeoutMs,
    now: clock.now,
  }
  const webhooks = new Webhooks({
    ...core,
    limits: config,
    post: (outgoing) => postBatch(outgoing, options),
    later: after,
    random: Math.random,
    userAgent: `arqonbus/${versionInfo.version}`,
    createQueue: (id, queueOptions) => eventQueues?.create(id, queueOptions) ?? createMemoryQueue(queueOptions),
    changed: (active) => eventQueues?.changed(active),
    findChannel: (room, channel) => rooms.channel(room, channel),
    countInChannel: (channel) => directory.countInChannel(channel),
    takesMessages: eventQueues === undefined || log.isImmediate,
  })
  observers.add(webhooks.observer)
  webhooks.replace(config.webhooks)
  core.reload.add({
    name: 'webhooks',
    settings: ['webhooks', 'webhooksAllowPrivate', 'webhooksTimeoutMs'],
    prepare: (next) => () => {
      // Queues that the shutdown has closed stay closed.
      if (core.lifecycle.isDraining) return
      options.allowPrivate = next.webhooksAllowPrivate
      options.timeoutMs = next.webhooksTimeoutMs
      webhooks.replace(next.webhooks)
    },
  })
  return webhooks
}
