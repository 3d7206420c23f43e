/** What lists show of the traffic of clients and channels, and their orders by it. */
import { expect, test } from 'bun:test'
import { eventually, openRaw, type TestClient } from '@arqonbus/testing'
import { run } from '../support/ask.ts'
import { adminKey, send, startMeasured } from './measured.ts'

test('list_clients shows what each client sends a second, and lists the busiest first', async () => {
  const bus = await startMeasured()
  const senders = await Promise.all(['slow', 'fast', 'medium'].map((id) => bus.as(id)))
  const idle = await bus.as('idle')
  const counts = { slow: 9, fast: 399, medium: 99 }
  for (const sender of senders) await send(sender, 'talk:a', counts[sender.id as keyof typeof counts])
  bus.sample()
  const { clients } = await run(idle, 'list_clients', { order: 'rate' })
  const rates = clients.map((one) => [one.client_id, one.messages_per_second])
  expect(rates).toEqual([
    ['fast', 40],
    ['medium', 10],
    ['slow', 1],
    ['idle', 0],
  ])
  const oldest = (await run(idle, 'list_clients')).clients.map((one) => one.client_id)
  expect((await run(idle, 'list_clients', { order: 'oldest' })).clients.map((one) => one.client_id)).toEqual(oldest)
  expect(oldest.at(-1)).toBe('idle')
  bus.sample()
  const later = await run(idle, 'list_clients', { order: 'rate', limit: 2 })
  expect(later.clients.map((one) => [one.client_id, one.messages_per_second])).toEqual([
    ['idle', 0.3],
    [oldest[0]!, 0],
  ])
})

test('list_channels shows the messages of each channel a second, and lists the busiest first', async () => {
  const bus = await startMeasured()
  const [ann, bob] = await Promise.all([bus.as('ann'), bus.as('bob')])
  await ann.command('create_channel', { channel: 'quiet:a' })
  await ann.command('create_channel', { channel: 'hidden:a', type: 'private' })
  await send(ann, 'talk:a', 10)
  await send(bob, 'talk:b', 300)
  await send(bob, 'talk:a', 20)
  await send(ann, 'hidden:a', 1000)
  // A broadcast is in no channel.
  ann.send({ room: 'talk', channel: '*' })
  await ann.everything()
  bus.sample()
  const list = async (client: TestClient, parameters: object) =>
    (await run(client, 'list_channels', { order: 'rate', ...parameters })).channels.map((one) => [
      `${one.room}:${one.name}`,
      one.messages_per_second,
    ])
  expect((await list(ann, {})).slice(0, 4)).toEqual([
    ['hidden:a', 100],
    ['talk:b', 30],
    ['talk:a', 3],
    ['arqonbus:control', 0],
  ])
  expect((await list(bob, {})).slice(0, 2)).toEqual([
    ['talk:b', 30],
    ['talk:a', 3],
  ])
  expect(await list(bob, { room: 'talk' })).toEqual([
    ['talk:b', 30],
    ['talk:a', 3],
  ])
  expect(await list(bob, { room: 'quiet' })).toEqual([['quiet:a', 0]])
  const { body } = await bus.call('/channels?order=rate&limit=1')
  expect(body.channels).toMatchObject([{ name: 'b', messages_per_second: 30 }])
  expect(await bus.call('/channels?order=queue')).toMatchObject({
    status: 400,
    body: { error: { code: 'invalid_parameters' } },
  })
  bus.sample()
  expect((await list(bob, { room: 'talk' })).map(([, rate]) => rate)).toEqual([0, 0])
})

test('pages of a list by rate have each entry once: those with traffic first, then all others', async () => {
  const bus = await startMeasured()
  const ann = await bus.as('ann')
  const names = ['a', 'b', 'c', 'd', 'e']
  for (const name of names) await ann.command('create_channel', { channel: `pages:${name}` })
  await send(ann, 'pages:d', 20)
  await send(ann, 'pages:b', 40)
  await send(ann, 'pages:e', 30)
  bus.sample()
  const pages: string[][] = []
  let cursor: string | undefined
  do {
    const page = await run(ann, 'list_channels', {
      room: 'pages',
      order: 'rate',
      limit: 2,
      ...(cursor && { cursor }),
    })
    pages.push(page.channels.map(({ name }) => name))
    cursor = page.cursor
  } while (cursor !== undefined)
  expect(pages).toEqual([['b', 'e'], ['d', 'a'], ['c']])
})

test('a deleted channel and a client that has left are in no order', async () => {
  const bus = await startMeasured()
  const [ann, bob] = await Promise.all([bus.as('ann'), bus.as('bob')])
  await bob.command('create_channel', { channel: 'gone:a' })
  await send(bob, 'gone:a', 10)
  bus.sample()
  await bob.command('delete_channel', { channel: 'gone:a' })
  await bob.close()
  await eventually(async () => expect((await run(ann, 'status')).totals.clients).toBe(1))
  expect((await run(ann, 'list_clients', { order: 'rate' })).clients.map((one) => one.client_id)).toEqual(['ann'])
  const { channels } = await run(ann, 'list_channels', { order: 'rate' })
  expect(channels.map(({ room }) => room)).not.toContain('gone')
})

test('a reader that stops is behind since then, first by its queue, and its bytes are in the series', async () => {
  const bus = await startMeasured({
    socketSendBytes: 32 * 1024,
    sendBufferTotal: 16 * 1024 * 1024,
    pingIntervalMs: 86_400_000,
    pingTimeoutMs: 2 * 86_400_000,
  })
  const raw = await openRaw(`${bus.busUrl}?client_id=stopped&join=talk:a`)
  await raw.nextJson()
  const [ann, bob] = await Promise.all([bus.as('ann'), bus.as('bob', 'talk:a')])
  raw.pause()
  const isBehind = () => bus.metric('arqonbus_connections_catching_up')
  while ((await isBehind()) === 0) {
    for (let i = 0; i < 10; i++) ann.send({ room: 'talk', channel: 'a', payload: { text: 'x'.repeat(8 * 1024) } })
    await ann.command('ping')
    bus.everySecond()
  }
  const since = new Date(bus.clock.now()).toISOString()
  const { attention } = await bus.status(bob)
  expect(attention).toContainEqual({ code: 'slow_consumers', since: expect.any(String), count: 1 })
  const { clients } = await run(bob, 'list_clients', { order: 'queue' })
  expect(clients[0]).toMatchObject({ client_id: 'stopped', behind: true, behind_since: since })
  expect(clients[0]!.queue_bytes).toBeGreaterThan(64 * 1024)
  expect(clients.length).toBe(3)
  for (const one of clients.slice(1)) expect(one).not.toHaveProperty('behind_since')
  bus.everySecond()
  bus.sample()
  expect(await bus.latest('waiting_bytes')).toBeGreaterThanOrEqual(clients[0]!.queue_bytes)

  raw.resume()
  await eventually(async () => {
    bus.everySecond()
    const listed = (await run(bob, 'list_clients')).clients.find((one) => one.client_id === 'stopped')
    expect(listed).toMatchObject({ behind: false })
    expect(listed).not.toHaveProperty('behind_since')
  })
  raw.destroy()
})

test('the address of a client is for admins only', async () => {
  const bus = await startMeasured()
  const [ann, admin] = await Promise.all([
    bus.as('ann'),
    bus.connect({ query: { client_id: 'admin' }, headers: { authorization: `Bearer ${adminKey}` } }),
  ])
  const addresses = async (client: TestClient, parameters: object = {}) =>
    (await run(client, 'list_clients', parameters)).clients.map(({ address }) => address)
  expect(await addresses(ann)).toEqual([undefined, undefined])
  expect(await addresses(admin)).toEqual(['127.0.0.1', '127.0.0.1'])
  expect(await addresses(ann, { admin_key: adminKey })).toEqual(['127.0.0.1', '127.0.0.1'])
  expect((await bus.call('/clients')).body.clients[0]).not.toHaveProperty('address')
  const headers = { authorization: `Bearer ${adminKey}` }
  expect((await bus.call('/clients', { headers })).body.clients[0]).toMatchObject({ address: '127.0.0.1' })
})
