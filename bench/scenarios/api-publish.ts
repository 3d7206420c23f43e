import { channelOf, createCallLoad } from '../load/calls.ts'
import { measureRate } from '../load/rate.ts'
import { startServer } from '../servers/server.ts'
import { bus, type Scenario } from './scenario.ts'

/** Acknowledged publishes by HTTP, over kept-alive connections, to channels without subscribers. */
const connections = 50
const channels = 10
const bytes = 200

const honest = ['unacknowledged', 'misnumbered', 'notInHistory', 'closed', 'surprises'].map((figure) => ({
  figure,
  max: 0,
}))

export const apiPublish: Scenario = {
  name: 'api-publish',
  title: '50 kept-alive HTTP connections, one acknowledged publish in flight each',
  sides: [bus],
  targets: [{ figure: 'acknowledgedPerSecond', min: 15_000 }, ...honest],
  rounds: 3,
  async measure(side, span) {
    // A minute of this load would fill the deduplication memory, and refusals are not to be measured.
    const server = await startServer(side.server, { ARQONBUS_DEDUP_BYTES: '4GiB' })
    const url = server.httpUrl!
    const load = createCallLoad({ url, connections, channels, bytes })
    await load.start()
    const figures = await measureRate(load, { server }, span)
    if (load.surprises.length > 0) console.error(`unexpected responses:\n${load.surprises.join('\n')}`)
    const audit = load.audit()
    const notInHistory = await missing(url, load.heads())
    await server.stop()
    return { ...figures, ...audit, notInHistory }
  },
}

/** The difference between the end of the histories and the last acknowledged messages, in messages. */
async function missing(url: string, heads: readonly number[]): Promise<number> {
  let sum = 0
  for (const [channel, head] of heads.entries()) {
    const answer = await fetch(`${url}/api/v1/rooms/bench/channels/${channelOf(channel)}/messages?limit=1`)
    const { last } = (await answer.json()) as { last: string }
    sum += Math.abs(head - Number(last.split('-')[1]))
  }
  return sum
}
