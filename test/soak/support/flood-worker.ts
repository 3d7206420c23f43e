/** Runs a flood in a thread of its own: the honest client, whose latency is measured, must not wait for the attacker. */
import { parentPort } from 'node:worker_threads'
import { floods, type Running, sharedFloods } from '../../hostile/support/floods.ts'
import type { Where } from '../../hostile/support/honest.ts'

/** What the thread is told: which flood to begin, of what size, against which bus; or to end it. */
export type ToFlood = { readonly title: string; readonly size: number; readonly bus: Where } | 'end'

/** What it answers: that the flood has begun; and what has become of it, when it has ended. */
export type FromFlood = 'begun' | Readonly<Record<string, number>>

const port = parentPort!
let running: Running | undefined

port.on('message', async (message: ToFlood) => {
  if (message === 'end') {
    const outcomes = running!.outcomes()
    await running!.end()
    return port.postMessage(outcomes satisfies FromFlood)
  }
  const flood = [...floods, ...sharedFloods].find(({ title }) => title === message.title)!
  running = await flood.begin(message.bus, message.size)
  port.postMessage('begun' satisfies FromFlood)
})
