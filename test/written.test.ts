/** What clients write about channels and rooms comes back byte for byte (docs/protocol.md#rooms-and-channels). */
import { expect, test } from 'bun:test'
import { newId } from '@arqonbus/protocol'
import { type Frame, refusal, startBus, type TestClient, textOf } from '@arqonbus/testing'
import { as, caller } from './api/call.ts'

const adminKey = 'correct-horse-battery-staple'
const bus = await startBus({ adminKey, rateLimit: null })

/** Everything that a parser and an encoder would change. */
const metadata = `{ "big" : 9007199254740993,"small":1e-400, "thousand":1e3,"one":1.0,\t"2":"b","1":"a","z":[ ],"a":{ },
  "escape":"\\u0041\\/\\ud800","twice":1,"twice":2,"minus":-0,"__proto__":{"a":1}}`
const config = '{"zero":0.0,"list":[1.50,1E+2],"b":1,"a":2}'

/** Sends a command whose payload is written by hand; resolves to the text of the reply. */
async function ask(client: TestClient, name: string, parameters: string, rest = ''): Promise<string> {
  const id = newId()
  client.raw(
    `{"version":"1.0","id":"${id}","type":"command","room":"science","channel":"general","from":"${client.id}","timestamp":"2026-01-01T00:00:00Z","payload":{"name":"${name}","parameters":${parameters}${rest}}}`,
  )
  const frame = await client.next((one: Frame) => one.type === 'command_response' && one.payload.request_id === id)
  return textOf(frame)
}

test('the metadata of a channel and the config of a room come back in every reply as they were written', async () => {
  const ann = await bus.as('ann')
  const created = await ask(
    ann,
    'create_channel',
    `{"channel":"exact:a","metadata":${metadata},"room_config":${config},"options":{"history_size":1e1}}`,
  )
  expect(created).toContain(`"metadata":${metadata},"options":{"history_size":10}`)
  for (const [name, parameters] of [
    ['channel_info', '{"channel":"exact:a"}'],
    ['list_channels', '{"room":"exact"}'],
    ['list_channels', '{}'],
  ] as const)
    expect([name, await ask(ann, name, parameters)]).toEqual([name, expect.stringContaining(`"metadata":${metadata},`)])
  for (const [name, parameters] of [
    ['list_rooms', '{"room":"exact"}'],
    ['status', '{}'],
    ['pause_room', `{"room":"exact","admin_key":"${adminKey}"}`],
    ['resume_room', `{"room":"exact","admin_key":"${adminKey}"}`],
  ] as const)
    expect([name, await ask(ann, name, parameters)]).toEqual([name, expect.stringContaining(`"config":${config},`)])
})

test('metadata comes back as it was written by HTTP too', async () => {
  const call = caller(bus.httpUrl)
  const body = `{"channel":"exact-http:a" , "metadata":${metadata}}`
  expect((await call('/commands/create_channel', { body, headers: as('web') })).status).toBe(200)
  for (const path of ['rooms/exact-http/channels/a', 'channels?room=exact-http'])
    expect(await (await fetch(`${bus.httpUrl}/api/v1/${path}`)).text()).toContain(`"metadata":${metadata},`)
})

test('of repeated parameters and names written with escapes the last one counts, as in every JSON parser', async () => {
  const ann = await bus.as('ann-twice')
  const created = await ask(
    ann,
    'create_channel',
    '{"metadata":{"n":1.0},"channel":"twice:a","meta\\u0064ata":{"n":2.0}}',
    ',"parameters":{"channel":"twice:b","metadata":{"n":3.0},"meta\\u0064ata":{"n":4.0}}',
  )
  expect(created).toContain('"name":"b"')
  expect(created).toContain('"metadata":{"n":4.0},')
})

test('metadata is limited by the bytes that were sent, and members of a private channel are read from it', async () => {
  const small = await startBus({ maxMetadataBytes: 64 })
  const [ann, bob, eve] = await Promise.all([small.as('ann'), small.as('bob'), small.as('eve')])
  const members = '{"members":["bob"],"pad":1.0}'
  const padded = `${members.slice(0, -1)}${' '.repeat(64 - members.length)}}`
  expect(await ask(ann, 'create_channel', `{"channel":"tight:a","type":"private","metadata":${padded}}`)).toContain(
    `"metadata":${padded},`,
  )
  const longer = `${padded.slice(0, -1)} }`
  expect(await ask(ann, 'create_channel', `{"channel":"tight:b","metadata":${longer}}`)).toContain(
    '"details":{"path":"/parameters/metadata","expected":"at most 64 bytes of JSON"}',
  )
  await bob.command('join_channel', { channel: 'tight:a' })
  expect((await refusal(eve.command('join_channel', { channel: 'tight:a' }))).code).toBe('forbidden')
})

test('metadata in a command with thousands of repeated parameters is found', async () => {
  const ann = await bus.as('ann-many')
  const many = Array.from({ length: 18_000 }, () => '"room":"many"').join(',')
  const created = await ask(ann, 'create_channel', `{${many},"metadata":${metadata},"channel":"many:a"}`)
  expect(created).toContain(`"metadata":${metadata},`)
})
