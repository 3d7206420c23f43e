/** The scripts of queues in Redis. Each says what it does, and what its keys and arguments are. */
import { queueFunctions, type Script, script } from '../log/redis/scripts.ts'
import clear from './lua/clear.lua' with { type: 'text' }
import leave from './lua/leave.lua' with { type: 'text' }
import push from './lua/push.lua' with { type: 'text' }
import release from './lua/release.lua' with { type: 'text' }
import take from './lua/take.lua' with { type: 'text' }

/** All of them. */
export const queueScripts = {
  push: script(`${queueFunctions}\n${push}`),
  take: script(`${queueFunctions}\n${take}`),
  release: script(release),
  clear: script(clear),
  leave: script(leave),
}

/** Calls a script on the connection for commands, or on that for reads. Fails with `QueueUnreachable`. */
export type CallQueue = (
  script: Script,
  keys: readonly string[],
  args: readonly (string | number)[],
  on?: 'commands' | 'reads',
) => Promise<unknown>
