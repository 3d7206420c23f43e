/**
 * A client that is behind, in a separate process, so that its memory can be measured. It joins from a position, checks
 * the number of each message, and ends with the last one, after printing one line of JSON.
 *
 * Arguments: the URL of the bus, the channel, the position, and the number of the next message.
 */
import { connect } from '@arqonbus/client'

/** The report printed at the end. */
export type BehindReport = {
  /** Whether the join recovered. */
  readonly recovered: boolean | undefined
  readonly gaps: unknown[]
  /** The first message that was not the next one. */
  readonly wrong: string | null
  /** The number of the last message. */
  readonly last: number
  /** Resident bytes before the join, and the maximum since. */
  readonly residentBytes: { before: number; most: number }
}

const [url, channel, since, next] = process.argv.slice(2) as [string, string, string, string]
const LOOK_EVERY = 500
const gaps: unknown[] = []
const arrived = Promise.withResolvers<void>()
const client = await connect({ url })
Bun.gc(true)
const before = process.memoryUsage.rss()
let most = before
let expected = Number(next)
let wrong: string | null = null
client.on('gap', (gap) => gaps.push(gap))
client.on('message', ({ payload: { n, isLast } }) => {
  if (n !== expected) wrong ??= `${n} came, not ${expected}`
  expected = Number(n) + 1
  if (expected % LOOK_EVERY === 0) most = Math.max(most, process.memoryUsage.rss())
  if (isLast === true) arrived.resolve()
})
const { recovered } = await client.join(channel, { since })
await arrived.promise
const report: BehindReport = { recovered, gaps, wrong, last: expected - 1, residentBytes: { before, most } }
process.stdout.write(`${JSON.stringify(report)}\n`)
await client.close()
