import { expect, test } from 'bun:test'
import { createManualClock } from '../test/support/manual-clock.ts'
import { JoinedChannels } from './joined-channels.ts'
import { createPositions } from './positions.ts'
import type { Requests } from './requests.ts'
import { Subscriptions } from './subscriptions.ts'

/** The replies of the bus to the joins of a resumption; all others succeed. */
type Answers = (address: string) => object

/** Subscriptions to a bus that is a function, for replies that a real bus rarely sends. */
async function setUp(answers: { current: Answers }) {
  const clock = createManualClock()
  const asked: string[][] = []
  const left: string[] = []
  const ask: Requests['ask'] = async (_, parameters, { onResult }) => {
    const { channel, channels } = parameters as { channel: string; channels?: { channel: string }[] }
    const addresses = channels?.map((one) => one.channel)
    if (addresses !== undefined) asked.push(addresses)
    const result =
      addresses === undefined
        ? { channel, position: '5-0' }
        : { results: addresses.map((address) => ({ channel: address, ...answers.current(address) })) }
    onResult(result)
    return result
  }
  const joined = new JoinedChannels()
  const subscriptions = new Subscriptions({
    ask,
    joined,
    positions: createPositions(10, () => {}),
    clock,
    maxFrameBytes: () => 262_144,
    onGap: () => {},
    onProven: () => {},
    onPresence: () => {},
    onLeft: (address, error) => left.push(`${address} ${error.code}`),
  })
  for (const channel of ['a', 'b', 'c']) await subscriptions.join(`science:${channel}`)
  return { clock, asked, left, joined, subscriptions }
}

const recovered = () => ({ position: '5-0', recovered: true })
const away = { error: { code: 'storage_unavailable', status: 503, message: 'away', retry_after_ms: 70 } }
const forbidden = { error: { code: 'forbidden', status: 403, message: 'no' } }

test('a resumption refused temporarily is retried when the server says so, and others are not affected', async () => {
  const answers = { current: (address: string) => (address === 'science:b' ? away : recovered()) as object }
  const { clock, asked, left, subscriptions } = await setUp(answers)
  await subscriptions.resume()
  expect(asked).toEqual([['arqonbus:inbox', 'science:a', 'science:b', 'science:c']])
  clock.advance(69)
  expect(asked).toHaveLength(1)
  answers.current = recovered
  clock.advance(1)
  expect(asked[1]).toEqual(['science:b'])
  clock.advance(10_000)
  expect(asked).toHaveLength(2)
  expect(left).toEqual([])
})

test('a subscription refused permanently is given up and reported', async () => {
  const answers = { current: (address: string) => (address === 'science:b' ? forbidden : recovered()) as object }
  const { left, joined, subscriptions } = await setUp(answers)
  await subscriptions.resume()
  expect(left).toEqual(['science:b forbidden'])
  expect(joined.list()).toEqual(['science:a', 'science:c'])
})

test('a retry scheduled on one connection is dropped on the next, which resumes everything', async () => {
  const { clock, asked, subscriptions } = await setUp({ current: () => away })
  await subscriptions.resume()
  subscriptions.pause()
  clock.advance(1000)
  expect(asked).toHaveLength(1)
})

test('the inbox is behind from the loss of a connection until its recovery is confirmed', async () => {
  const answers = { current: (() => away) as Answers }
  const { clock, joined, subscriptions } = await setUp(answers)
  expect(subscriptions.isInboxBehind()).toBe(false)
  await subscriptions.join('arqonbus:inbox')
  expect(joined.list()).not.toContain('arqonbus:inbox')
  subscriptions.pause()
  await subscriptions.resume()
  expect(subscriptions.isInboxBehind()).toBe(true)
  answers.current = recovered
  clock.advance(70)
  expect(subscriptions.isInboxBehind()).toBe(false)
})
