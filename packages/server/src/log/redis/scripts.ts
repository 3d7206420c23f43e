/** The scripts of the log. What they do and how they are called stands in each of them. */
import { hash } from 'node:crypto'
import type { Redis } from 'ioredis'
import append from './lua/append.lua' with { type: 'text' }
import deletion from './lua/delete.lua' with { type: 'text' }
import fence from './lua/fence.lua' with { type: 'text' }
import head from './lua/head.lua' with { type: 'text' }
import look from './lua/look.lua' with { type: 'text' }
import read from './lua/read.lua' with { type: 'text' }

/** A script, by the name that Redis knows it by. */
export type Script = { readonly source: string; readonly sha: string }

const script = (source: string): Script => ({ source, sha: hash('sha1', source) })

export const scripts = {
  append: script(`${head}\n${append}`),
  delete: script(`${head}\n${deletion}`),
  fence: script(fence),
  look: script(`${head}\n${look}`),
  read: script(`${head}\n${read}`),
}

/** Loads all of them: one that is there already stays as it is. */
export async function loadScripts(redis: Redis): Promise<void> {
  await Promise.all(Object.values(scripts).map(({ source }) => redis.script('LOAD', source)))
}

/** Calls one that is loaded. */
export function callScript<Answer>(
  redis: Redis,
  { sha }: Script,
  keys: readonly string[],
  args: readonly (string | number)[],
): Promise<Answer> {
  return redis.evalsha(sha, keys.length, ...keys, ...args) as Promise<Answer>
}
