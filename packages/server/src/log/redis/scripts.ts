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
import read from './lua/read.lua' with { type: 'text' }

/** A script, by the name that Redis knows it by. */
export type Script = { readonly source: string; readonly sha: string }

const script = (source: string): Script => ({ source, sha: hash('sha1', source) })

export const scripts = {
  append: script(`${head}\n${disk}\n${append}`),
  delete: script(`${head}\n${deletion}`),
  fence: script(fence),
  look: script(`${head}\n${look}`),
  read: script(`${head}\n${read}`),
}

/** Loads all of them: one that is there already stays as it is. */
export async function loadScripts(redis: Redis): Promise<void> {
  const loads = Object.values(scripts).map(async ({ source, sha }) => {
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
