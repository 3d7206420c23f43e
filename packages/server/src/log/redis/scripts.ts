/** The scripts of the log. Each says what it does, and what its keys and arguments are. */
import { hash } from 'node:crypto'
import type { Redis } from 'ioredis'
import { UnreadableReply } from '../../redis/faults.ts'
import append from './lua/append.lua' with { type: 'text' }
import deletion from './lua/delete.lua' with { type: 'text' }
import disk from './lua/disk.lua' with { type: 'text' }
import fence from './lua/fence.lua' with { type: 'text' }
import head from './lua/head.lua' with { type: 'text' }
import look from './lua/inspect.lua' with { type: 'text' }
import queue from './lua/queue.lua' with { type: 'text' }
import read from './lua/read.lua' with { type: 'text' }
import redact from './lua/redact.lua' with { type: 'text' }

/** A script, by the name that Redis knows it by. */
export type Script = { readonly source: string; readonly sha: string }

/** What scripts know of the queues of webhooks. */
export const queueFunctions = queue

/** A script of this source. */
export const script = (source: string): Script => ({ source, sha: hash('sha1', source) })

export const scripts = {
  append: script(`${head}\n${disk}\n${queue}\n${append}`),
  delete: script(`${head}\n${deletion}`),
  fence: script(fence),
  look: script(`${head}\n${look}`),
  read: script(`${head}\n${read}`),
  redact: script(`${head}\n${redact}`),
}

/** Loads scripts, those of the log by default: one that is there already stays as it is. */
export async function loadScripts(redis: Redis, wanted: readonly Script[] = Object.values(scripts)): Promise<void> {
  const loads = wanted.map(async ({ source, sha }) => {
    const loaded = await redis.script('LOAD', source)
    if (loaded !== sha) throw new UnreadableReply(`not the hash ${sha}`, loaded)
  })
  await Promise.all(loads)
}

/** Calls one that is loaded. `script-replies.ts` reads its reply. */
export function callScript(
  redis: Redis,
  { sha }: Script,
  keys: readonly string[],
  args: readonly (string | number)[],
): Promise<unknown> {
  return redis.evalsha(sha, keys.length, ...keys, ...args)
}
