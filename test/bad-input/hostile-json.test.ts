/** JSON that is designed to cost time, to be ambiguous, or to reach internal state. */
import { afterAll, describe, expect, test } from 'bun:test'
import { type Frame, startBus, textOf } from '@arqonbus/testing'
import { connectProber, expectServed, onlyRefusal, type Prober } from './support/served.ts'

const MiB = 1024 * 1024
const bus = await startBus({
  maxMessageBytes: 2 * MiB,
  maxViolations: 1_000_000,
  rateLimit: null,
  historyBytes: 16 * MiB,
})

const eve = await connectProber(bus.busUrl, { query: { client_id: 'eve', join: 'science:explore' } })
const bystander = await bus.connect({ query: { client_id: 'bystander' } })

afterAll(() => Promise.all([eve.close(), bystander.close()]))

let count = 0

/** An envelope with parts that are written as they are. */
function envelope({
  type = 'event',
  channel = 'explore',
  payload = '{}',
  metadata,
}: {
  type?: string
  channel?: string
  payload?: string
  metadata?: string
}): string {
  const rest = metadata === undefined ? '' : `,"metadata":${metadata}`
  return `{"version":"1.0","id":"arq_${++count}","type":"${type}","room":"science","channel":"${channel}","from":"eve","timestamp":"2026-11-21T12:00:00Z","payload":${payload}${rest}}`
}

const command = (name: string, parameters: string) =>
  envelope({ type: 'command', payload: `{"name":"${name}","parameters":${parameters}}` })

/**
 * Sends a text, and returns the replies to it, once another client was served after it. No clock: an algorithm that is
 * quadratic in the length takes minutes here, and the test times out.
 */
async function probeWithOthers(client: Prober, text: string): Promise<Frame[]> {
  client.raw(text)
  await bystander.command('ping')
  return client.everything()
}

describe('payloads nested 10,000 levels deep', () => {
  const nest = (opener: string, inner: string, closer: string, times = 10_000) =>
    opener.repeat(times) + inner + closer.repeat(times)
  const nested: Record<string, () => string> = {
    'of objects': () => envelope({ payload: nest('{"a":', '1', '}') }),
    'of lists': () => envelope({ payload: `{"a":${nest('[', '', ']')}}` }),
    'of both': () => envelope({ payload: nest('{"a":[', '{}', ']}') }),
    'never closed': () => envelope({ payload: '{"a":'.repeat(10_000) }),
    'in metadata': () => envelope({ metadata: `{"a":${nest('[', '', ']')}}` }),
    'under a repeated key, so that a parsed copy does not show it': () =>
      envelope({ payload: `{"a":${nest('[', '', ']')},"a":1}` }),
    'in the parameters of a command': () => command('create_channel', `{"metadata":{"a":${nest('[', '', ']')}}}`),
    'by half a million': () => nest('[', '', ']', 500_000),
  }
  test.each(Object.entries(nested))('a payload nested 10,000 deep is refused at once: %s', async (_, text) => {
    const frames = await probeWithOthers(eve, text())
    expect(onlyRefusal(frames)).toMatchObject({
      code: 'invalid_envelope',
      details: { expected: expect.stringContaining('64') },
    })
  })

  test('brackets inside strings do not count as depth', async () => {
    const payload = `{"text":"${'[{'.repeat(10_000)}","more":"\\"${'{'.repeat(1000)}"}`
    expect(await eve.probe(envelope({ payload }))).toHaveLength(1)
  })
})

describe('hundreds of thousands of keys', () => {
  const object = (key: (i: number) => string, value = '0', times = 100_000) =>
    `{${Array.from({ length: times }, (_, i) => `"${key(i)}":${value}`).join()}}`
  const numbered = object(String)
  const backwards = object((i) => String(4_000_000_000 - 7 * i))
  const spelled = object((i) => `\\u0061${i}`)
  const positions = object((i) => `c${i}`, '"1-1"')
  const list = (entry: string) => `[${`${entry},`.repeat(100_000)}1]`

  const accepted: Record<string, () => string> = {
    'integers in a payload': () => envelope({ payload: numbered }),
    'scattered integers, the largest first': () => envelope({ payload: backwards }),
    'integers in metadata': () => envelope({ metadata: numbered }),
    'integers in metadata, remembered for its id': () => envelope({ metadata: `{"ack":true,${backwards.slice(1)}` }),
    'escapes in metadata': () => envelope({ metadata: spelled }),
    'one key repeated in a payload': () => envelope({ payload: object(() => 'a') }),
  }
  test.each(Object.entries(accepted))(
    'a message with hundreds of thousands of keys is accepted without delaying other clients: %s',
    async (_, text) => {
      const sent = text()
      const frames = await probeWithOthers(eve, sent)
      expect(frames.filter((frame) => frame.type === 'event')).toHaveLength(1)
    },
  )

  const refused: Record<string, [code: string, text: () => string]> = {
    'integers beside the fields of an envelope': [
      'invalid_envelope',
      () => `${envelope({}).slice(0, -1)},${numbered.slice(1)}`,
    ],
    'integers alone': ['invalid_envelope', () => numbered],
    'one key repeated in metadata': ['invalid_envelope', () => envelope({ metadata: object(() => 'a') })],
    'integers in the payload of a command': [
      'invalid_parameters',
      () => envelope({ type: 'command', payload: numbered }),
    ],
    'integers in parameters': ['invalid_parameters', () => command('ping', numbered)],
    recipients: [
      'invalid_envelope',
      () => envelope({ type: 'private', channel: 'pm', metadata: `{"to":${list('"eve"')}}` }),
    ],
    'recipients that are objects': [
      'invalid_envelope',
      () => envelope({ type: 'private', channel: 'pm', metadata: `{"to":${list('{"a":1}')}}` }),
    ],
    'channels to join': [
      'invalid_parameters',
      () => command('join_channel', `{"channels":${list('{"channel":"a:b"}')}}`),
    ],
    'positions of a channel': [
      'invalid_parameters',
      () => command('join_channel', `{"channel":"science:explore","since":${positions}}`),
    ],
    'wrong positions': [
      'invalid_parameters',
      () => command('join_channel', `{"channel":"science:*","since":${numbered}}`),
    ],
    'JSON that breaks off at its end': ['invalid_json', () => envelope({ payload: numbered }).slice(0, -1)],
  }
  test.each(Object.entries(refused))(
    'a frame with hundreds of thousands of keys is refused without delaying other clients: %s',
    async (_, [code, text]) => {
      const frames = await probeWithOthers(eve, text())
      expect(onlyRefusal(frames).code).toBe(code)
    },
  )

  test('a join with a position for each of hundreds of thousands of channels does not delay other clients', async () => {
    await eve.command('create_channel', { room: 'elsewhere', channel: 'quiet' })
    const frames = await probeWithOthers(eve, command('join_channel', `{"channel":"elsewhere:*","since":${positions}}`))
    expect(frames.map((frame) => frame.payload.status)).toEqual(['success'])
    await eve.command('leave_channel', { channel: 'elsewhere:*' })
  })
})

test('no raw control character is accepted at any place of a frame', async () => {
  const whole = envelope({ payload: '{"a":"b","c":[1]}', metadata: '{"d":"e","ack":true}' })
  const controls = ['\0', '\b', '\v', '\f', '\x1b', '\x1e', '\x1f']
  for (const control of controls) {
    for (let i = 0; i <= whole.length; i++) eve.raw(whole.slice(0, i) + control + whole.slice(i))
    const frames = await eve.everything()
    expect(frames).toHaveLength(whole.length + 1)
    expect(new Set(frames.map((frame) => onlyRefusal([frame]).code))).toEqual(new Set(['invalid_json']))
  }
})

describe('texts that are hostile to patterns', () => {
  const long = (text: string) => text.repeat(Math.floor(MiB / text.length))
  const texts: Record<string, () => string> = {
    'a room': () => envelope({}).replace('"science"', `"${long('a.')}!"`),
    'a channel': () => envelope({}).replace('"explore"', `"${long('a-')}*"`),
    'an id': () => envelope({}).replace('"arq_', `"arq_${long('_-')}`),
    'a sender': () => envelope({}).replace('"eve"', `"${long('a@')} "`),
    'a timestamp': () => envelope({}).replace(':00Z', `:00.${long('0')}z`),
    'a version': () => envelope({}).replace('"1.0"', `"${long('1.0')}"`),
    'a traceparent': () => envelope({ metadata: `{"traceparent":"00-${long('0a')}-"}` }),
    'a cause': () => envelope({ metadata: `{"cause":"arq_${long('x')}"}` }),
    'a key': () => envelope({ metadata: `{"key":"${long('🚀')}"}` }),
    'an address': () => command('join_channel', `{"channel":"${long('a:')}"}`),
    'an address of dots': () => command('history', `{"channel":"a:${long('..')}!"}`),
    'a position': () => command('history', `{"after":"${long('1')}-${long('1').slice(0, 1000)}"}`),
    'a position in a map': () => command('join_channel', `{"channel":"science:*","since":{"${long('k')}":"x"}}`),
    'a cursor': () => command('list_channels', `{"cursor":"${long('z')}"}`),
    'a screen name': () => command('update_profile', `{"screen_name":"${long('a\\n')}"}`),
    'a command': () => command(long('ping'), '{}'),
    'a parameter': () => command('ping', `{"${long('~/')}":1}`),
    'an admin key': () => command('ping', `{"admin_key":"${long('k')}"}`),
    'an event type': () => envelope({ type: 'telemetry', payload: `{"eventType":"${long('e')}","payload":{}}` }),
    'white space': () => `${envelope({})}${long(' \\t').replaceAll('\\t', '\t')}x`,
    backslashes: () => `{"a":"${long('\\\\')}`,
    digits: () => `{"a":${long('9')}x`,
    signs: () => long('-'),
    quotes: () => long('"'),
  }
  test.each(Object.entries(texts))(
    'text that is hostile to patterns is refused without delaying other clients: %s',
    async (_, text) => {
      const frames = await probeWithOthers(eve, text())
      onlyRefusal(frames)
      expect(textOf(frames[0]!).length).toBeLessThan(2000)
    },
  )
})

describe('keys that objects inherit', () => {
  const poison =
    '"__proto__":{"isAdmin":true,"polluted":true,"requires_admin":false,"ack":true,"to":"eve"},"constructor":{"prototype":{"polluted":true}},"hasOwnProperty":1,"toString":2,"valueOf":3'

  test('keys that objects inherit are ordinary content of payload and metadata and arrive as sent', async () => {
    const text = envelope({ payload: `{${poison},"text":"ü\\u00fc"}`, metadata: `{${poison}}` })
    const [frame, ...more] = await eve.probe(text)
    expect(more).toEqual([])
    expect(textOf(frame!)).toContain(`"payload":{${poison},"text":"ü\\u00fc"},"metadata":{${poison},"position":"`)
  })

  test('keys that objects inherit are kept as sent in channel metadata and room configuration', async () => {
    const kept = {
      metadata: JSON.parse(`{${poison}}`) as object,
      room_config: JSON.parse(`{${poison},"members":["bystander"]}`) as object,
    }
    const { channel } = await eve.command('create_channel', {
      room: 'born',
      channel: 'with',
      type: 'private',
      ...kept,
    } as never)
    expect(JSON.stringify(channel.metadata)).toBe(JSON.stringify(kept.metadata))
    const status = await eve.command('status')
    expect(JSON.stringify(status.rooms.find(({ name }) => name === 'born')?.config)).toBe(
      JSON.stringify(kept.room_config),
    )
    const stranger = await bystander.command('list_channels', { room: 'born' })
    expect(stranger.channels).toEqual([])
    await eve.command('delete_channel', { room: 'born', channel: 'with' })
  })

  const places: Record<string, () => string> = {
    'beside the fields of an envelope': () => `${envelope({}).slice(0, -1)},${poison}}`,
    'in place of a field': () => envelope({}).replace('"from":"eve"', '"__proto__":{"from":"eve"}'),
    'in the payload of a command': () => envelope({ type: 'command', payload: `{"name":"ping",${poison}}` }),
    'as the payload of a command': () => envelope({ type: 'command', payload: '{"__proto__":{"name":"ping"}}' }),
    'as the name of a command': () => command('__proto__', '{}'),
    'as the name of another command': () => command('constructor', '{}'),
    'in parameters': () => command('status', `{${poison}}`),
    'in place of a parameter': () =>
      command('disconnect_client', '{"__proto__":{"client_id":"bystander","admin_key":"x"}}'),
    'in the options of a channel': () => command('create_channel', `{"channel":"born:options","options":{${poison}}}`),
    'in the request for an acknowledgement': () => envelope({ metadata: '{"ack":{"__proto__":{"level":"memory"}}}' }),
    'in place of the recipients': () =>
      envelope({ type: 'private', channel: 'pm', metadata: '{"__proto__":{"to":"eve"}}' }),
    'beside the fields of an event': () =>
      envelope({ type: 'telemetry', payload: `{"eventType":"x","payload":{},${poison}}` }),
    'among positions': () => command('join_channel', '{"channel":"science:*","since":{"__proto__":{"a":1}}}'),
    'as a channel to join': () =>
      command('join_channel', '{"channels":[{"__proto__":{"channel":"a:b"},"constructor":1}]}'),
    'as a room': () => envelope({}).replace('"science"', '"__proto__"'),
  }
  test.each(Object.entries(places))('keys that objects inherit are refused %s', async (_, text) => {
    const refused = onlyRefusal(await eve.probe(text()))
    expect(refused.code).toMatch(/^(invalid_envelope|invalid_parameters|invalid_telemetry|unknown_command)$/)
  })

  test('names that objects inherit are ordinary names of rooms, channels and clients', async () => {
    const names = ['constructor', 'toString', 'valueOf', 'hasOwnProperty', 'prototype', 'length', 'name']
    for (const name of names) {
      const client = await bus.connect({ query: { client_id: name } })
      const first = await client.publish({ room: name, channel: name })
      const second = await client.publish({ room: name, channel: name })
      const joined = await client.command('join_channel', {
        room: name,
        channel: '*',
        since: { [name]: first.position! },
      })
      expect(joined).toMatchObject({
        channels: [{ channel: `${name}:${name}`, position: second.position, recovered: true, missed: 1 }],
      })
      expect(await client.messages()).toMatchObject([{ metadata: { position: second.position } }])
      await client.publish({ type: 'private', channel: 'pm', metadata: { to: name } })
      expect((await client.command('history', { channel: 'arqonbus:inbox', with: name })).messages).toHaveLength(1)
      await client.close()
    }
  })

  test('keys that objects inherit have polluted no other object', async () => {
    expect({} as Record<string, unknown>).not.toHaveProperty('polluted')
    expect(Object.keys(Object.prototype)).toEqual([])
    for (const key in {}) throw new Error(`objects inherit the key ${key}`)
    const pause = onlyRefusal(await eve.probe(command('pause_room', '{"room":"science"}')))
    expect(pause.code).toBe('forbidden')
  })
})

describe('unusual spellings and repeated keys', () => {
  const spellings: Record<string, () => string> = {
    'a field with an escape': () => envelope({}).replace('"id"', '"\\u0069d"'),
    'a field with and without an escape': () => envelope({}).replace('"from":"eve"', '"from":"eve","\\u0066rom":"ada"'),
    'two senders': () => envelope({}).replace('"from":"eve"', '"from":"ada","from":"eve"'),
    'two ids': () => envelope({}).replace('"id"', '"id":"arq_other","id"'),
    'two payloads': () => envelope({}).replace('"payload"', '"payload":{},"payload"'),
    'two metadata': () => envelope({ metadata: '{},"metadata":{}' }),
    'two recipients': () => envelope({ type: 'private', channel: 'pm', metadata: '{"to":"bystander","to":"eve"}' }),
    'two recipients, one with an escape': () =>
      envelope({ type: 'private', channel: 'pm', metadata: '{"to":"bystander","t\\u006f":"eve"}' }),
    'a position with an escape': () => envelope({ metadata: '{"\\u0070osition":"1-1"}' }),
    'a key of the server with an escape': () => envelope({ metadata: '{"\\u0061rq_x":1}' }),
    'a key of the server': () => envelope({ metadata: '{"arq_":1}' }),
    'a flag of the server': () => envelope({ metadata: '{"provisional":false}' }),
    'a field in capitals': () => envelope({}).replace('"from"', '"From"'),
    'a field with a NUL': () => envelope({}).replace('"from"', '"from\\u0000"'),
  }
  test.each(Object.entries(spellings))('keys in another spelling or repeated are refused: %s', async (_, text) => {
    expect(onlyRefusal(await eve.probe(text())).code).toBe('invalid_envelope')
  })

  test('repeated keys in a payload are delivered as sent', async () => {
    const payload = '{"a":1,"a":2,"\\u0061":3,"b":{"a":1e400,"a":-0,"a":1.0,"a":12345678901234567890}}'
    const [frame] = await eve.probe(envelope({ payload }))
    expect(textOf(frame!)).toContain(`"payload":${payload},`)
  })

  test('escaped spellings of allowed keys count as those keys', async () => {
    const frames = await eve.probe(envelope({ metadata: '{"\\u0061ck":true}' }))
    expect(frames.map((frame) => frame.type).sort()).toEqual(['command_response', 'event'])
  })
})

describe('lone surrogates', () => {
  const half = '\\ud83d'

  test('lone surrogates pass through payload and metadata byte for byte', async () => {
    const [frame] = await eve.probe(
      envelope({
        payload: `{"${half}":"${half}","\\udc00":"\\udc00${half}"}`,
        metadata: `{"key":"${half}","${half}":"${half}"}`,
      }),
    )
    expect(textOf(frame!)).toContain(
      `"payload":{"${half}":"${half}","\\udc00":"\\udc00${half}"},"metadata":{"key":"${half}","${half}":"${half}","position":"`,
    )
  })

  test('lone surrogates in profiles, channel metadata and room configuration are returned as sent', async () => {
    const lone = '\ud83d'
    const { client } = await eve.command('update_profile', {
      screen_name: lone,
      avatar: `a${lone}`,
      personality: `${lone}b`,
    })
    expect(client).toMatchObject({ screen_name: lone, avatar: `a${lone}`, personality: `${lone}b` })
    const created = await eve.command('create_channel', {
      room: 'halves',
      channel: 'one',
      metadata: { [lone]: lone },
      room_config: { [lone]: [lone] },
    })
    expect(created.channel.metadata).toEqual({ [lone]: lone })
    const { clients } = await bystander.command('list_clients')
    expect(clients.find(({ client_id }) => client_id === 'eve')?.screen_name).toBe(lone)
    await eve.command('delete_channel', { room: 'halves', channel: 'one' })
  })

  const refused: Record<string, () => string> = {
    'an id': () => envelope({}).replace('"arq_', `"arq_${half}`),
    'a type': () => envelope({ type: half }),
    'a room': () => envelope({}).replace('"science"', `"${half}"`),
    'a channel': () => envelope({ channel: half }),
    'a sender': () => envelope({}).replace('"eve"', `"${half}"`),
    'a timestamp': () => envelope({}).replace('00Z"', `00Z${half}"`),
    'a version': () => envelope({}).replace('"1.0"', `"${half}"`),
    'a field': () => envelope({}).replace('"from"', `"${half}"`),
    'a cause': () => envelope({ metadata: `{"cause":"${half}"}` }),
    'a recipient': () => envelope({ type: 'private', channel: 'pm', metadata: `{"to":"${half}"}` }),
    'a command': () => command(half, '{}'),
    'a long command, cut in the middle of a character': () => command(`x${'🚀'.repeat(100)}`, '{}'),
    'a parameter': () => command('ping', `{"${half}":1}`),
    'a long parameter, cut in the middle of a character': () => command('ping', `{"x${'🚀'.repeat(100)}":1}`),
    'an address': () => command('join_channel', `{"channel":"a:${half}"}`),
    'a position': () => command('history', `{"after":"${half}"}`),
    'a cursor': () => command('list_channels', `{"cursor":"${half}"}`),
    'an admin key': () => command('ping', `{"admin_key":"${half}"}`),
  }
  test.each(Object.entries(refused))('lone surrogates in %s are refused', async (_, text) => {
    const [frame] = await eve.probe(text())
    onlyRefusal([frame!])
    expect(textOf(frame!).isWellFormed()).toBe(true)
  })
})

test('after all hostile JSON the bus serves as before', () => expectServed(bus))
