/** Policies, snapshots and presence of subscriptions, over reconnects too. */
import { expect, test } from 'bun:test'
import type { Config } from '@arqonbus/server'
import { collect, next } from './support/collect.ts'
import { createFixture } from './support/fixture.ts'

const fixture = createFixture()
const CHANNEL = 'board:state'

/** `ann` on a connection that the test can cut, and `ben`, who publishes. */
async function setUp(config: Partial<Config> = {}) {
  const { busUrl } = await fixture.bus(config)
  const proxy = await fixture.proxy(busUrl)
  const ann = await fixture.client({ url: proxy.url, clientId: 'ann' })
  const ben = await fixture.client({ url: busUrl, clientId: 'ben' })
  const publish = async (...texts: string[]) => {
    for (const text of texts) await ben.publish(CHANNEL, { text }, { ack: true, metadata: { key: text[0]! } })
  }
  const away = async (meanwhile: () => Promise<unknown> = async () => {}) => {
    const [lost, back] = [next(ann, 'disconnected'), next(ann, 'connected')]
    proxy.accept(false)
    proxy.cut()
    await lost
    await meanwhile()
    proxy.accept(true)
    await back
  }
  const heard = collect(ann, 'message', ({ payload }) => payload.text)
  return { busUrl, proxy, ann, ben, publish, away, heard, gaps: collect(ann, 'gap') }
}

test('under a policy jumps are no gaps, and the policy outlives a reconnect', async () => {
  const { ann, publish, away, heard, gaps } = await setUp()
  await ann.join(CHANNEL, { delivery: { sample_ms: 60_000 } })
  await publish('a1', 'a2', 'a3')
  expect(await heard.count(1)).toEqual(['a1'])
  // What waits for the end of the period, and what is published meanwhile: the newest of each key is enough.
  await away(() => publish('b4', 'a5', 'b6'))
  expect(await heard.count(3)).toEqual(['a1', 'a5', 'b6'])
  await publish('a7', 'a8')
  expect(await heard.count(4)).toEqual(['a1', 'a5', 'b6', 'a7'])
  await ann.leave(CHANNEL)
  expect(await heard.count(5)).toEqual(['a1', 'a5', 'b6', 'a7', 'a8'])
  expect(gaps.all).toEqual([])
})

test('under a policy messages that are not kept any more are no gap', async () => {
  const { ann, publish, away, heard, gaps } = await setUp({ historySize: 2 })
  await ann.join(CHANNEL, { delivery: 'latest' })
  await publish('a1')
  await heard.count(1)
  await away(() => publish('a2', 'a3', 'b4', 'a5'))
  expect(await heard.count(3)).toEqual(['a1', 'b4', 'a5'])
  expect(gaps.all).toEqual([])
})

test('the policy of a room is that of its channels', async () => {
  const { ann, publish, heard, gaps } = await setUp()
  await ann.join('board:*', { delivery: { sample_ms: 60_000 } })
  await publish('a1', 'a2', 'b3')
  await ann.leave('board:*')
  expect(await heard.count(3)).toEqual(['a1', 'a2', 'b3'])
  expect(gaps.all).toEqual([])
})

test('a snapshot comes first, and then every message, after a reconnect too', async () => {
  const { ann, publish, away, heard, gaps } = await setUp()
  await publish('a1', 'b2', 'a3', 'c4', 'b5')
  const ends = collect(ann, 'snapshot')
  await ann.join(CHANNEL, { snapshot: 'latest' })
  expect(await ends.count(1)).toEqual([{ address: CHANNEL, messages: 3, complete: true }])
  expect(heard.all).toEqual(['a3', 'c4', 'b5'])
  await publish('a6', 'a7')
  await heard.count(5)
  await away(() => publish('a8', 'b9'))
  await publish('c10')
  expect(await heard.count(8)).toEqual(['a3', 'c4', 'b5', 'a6', 'a7', 'a8', 'b9', 'c10'])
  expect(gaps.all).toEqual([])
  expect(ends.all).toHaveLength(1)
})

test('a snapshot that a lost connection interrupts is asked for again', async () => {
  const { ann, proxy, publish, heard, gaps } = await setUp()
  await publish('a1', 'b2', 'a3')
  const ends = collect(ann, 'snapshot')
  proxy.holdReplies(true)
  const joined = ann.join(CHANNEL, { snapshot: 'latest', delivery: 'latest' })
  const back = next(ann, 'connected')
  proxy.cut()
  proxy.holdReplies(false)
  await Promise.all([joined, back])
  expect(await ends.count(1)).toMatchObject([{ messages: 2, complete: true }])
  await publish('a4')
  expect(await heard.count(3)).toEqual(['b2', 'a3', 'a4'])
  expect(gaps.all).toEqual([])
})

test('the members of a channel are kept current', async () => {
  const { ann, ben, busUrl } = await setUp()
  const changes = collect(ann, 'presence')
  await ben.join(CHANNEL)
  expect(ann.presence(CHANNEL)).toBeUndefined()
  const { presence } = await ann.join(CHANNEL, { presence: true })
  expect(presence).toMatchObject({ count: 2, members: [{ client_id: 'ann' }, { client_id: 'ben' }] })
  expect(ann.presence(CHANNEL)).toEqual({
    count: 2,
    members: [
      { client_id: 'ann', client_type: 'human' },
      { client_id: 'ben', client_type: 'human' },
    ],
  })
  await ben.setPresence({ state: 'busy' }, CHANNEL)
  await changes.count(1)
  expect(ann.presence(CHANNEL)?.members).toContainEqual({
    client_id: 'ben',
    client_type: 'human',
    status: { state: 'busy' },
  })
  const cid = await fixture.client({ url: busUrl, clientId: 'cid', join: [CHANNEL] })
  await changes.count(2)
  expect(ann.presence(CHANNEL)?.members?.map(({ client_id }) => client_id)).toEqual(['ann', 'ben', 'cid'])
  await cid.leave(CHANNEL)
  await ben.leave(CHANNEL)
  for (let n = 3; ann.presence(CHANNEL)?.count !== 1; n++) await changes.count(n)
  expect(ann.presence(CHANNEL)?.members?.map(({ client_id }) => client_id)).toEqual(['ann'])
  await ann.leave(CHANNEL)
  expect(ann.presence(CHANNEL)).toBeUndefined()
})

test('after a reconnect the members are those of now', async () => {
  const { ann, ben, away } = await setUp()
  await ann.join(CHANNEL, { presence: true })
  expect(ann.presence(CHANNEL)?.count).toBe(1)
  await away(() => ben.join(CHANNEL))
  // The join that follows the reconnect is answered before this command is.
  await ann.ping()
  expect(
    ann
      .presence(CHANNEL)
      ?.members?.map(({ client_id }) => client_id)
      .toSorted(),
  ).toEqual(['ann', 'ben'])
})

test('members that do not fit into a reply are read behind it', async () => {
  const { ann, busUrl } = await setUp()
  const people = Array.from({ length: 450 }, (_, i) => `${'somebody-with-a-very-long-name-'.repeat(3)}${i}`)
  await Promise.all(people.map((clientId) => fixture.client({ url: busUrl, clientId, join: [CHANNEL] })))
  const changes = collect(ann, 'presence')
  const { presence } = await ann.join(CHANNEL, { presence: true })
  expect(presence!.cursor).toBeString()
  for (let n = 1; ann.presence(CHANNEL)!.members!.length < 451; n++) await changes.count(n)
  expect(
    ann
      .presence(CHANNEL)!
      .members!.map(({ client_id }) => client_id)
      .toSorted(),
  ).toEqual(['ann', ...people].toSorted())
})
