/** Commands with hostile parameters (docs/protocol.md#commands). */
import { afterAll, describe, expect, test } from 'bun:test'
import { type CommandName, commands } from '@arqonbus/protocol'
import { type Frame, openRaw, refusal, startBus, textOf } from '@arqonbus/testing'
import { connectProber, expectServed, onlyRefusal } from './support/served.ts'

const ADMIN_KEY = 'the-key-of-the-admins'
const faults: object[] = []
const logger = { debug() {}, info() {}, warn() {}, error: (line: object) => void faults.push(line) }
const bus = await startBus({ adminKey: ADMIN_KEY, rateLimit: null, maxViolations: 1_000_000 }, { logger })
const eve = await connectProber(bus.busUrl, { query: { client_id: 'eve', session: 'none', join: 'science:explore' } })

afterAll(() => eve.close())

let count = 0
const commandText = (name: string, parameters: string) =>
  `{"version":"1.0","id":"arq_c${++count}","type":"command","room":"science","channel":"explore","from":"eve","timestamp":"2026-11-21T12:00:00Z","payload":{"name":"${name}","parameters":${parameters}}}`

const channels = () => bus.metric('arqonbus_channels')

/** JSON values without the form of any parameter, or with one that looks right. */
const hostile = [
  'null', 'true', 'false', '0', '-0', '-1', '1.5', '1e2', '1e400', '-1e400', '1e-400', '99999999999999999999', '9007199254740993',
  '""', '" "', '"0"', '"-1"', '"NaN"', '"Infinity"', '"\\u0000"', '"\\n"', '"\\ud800"', '"*"', '"*:*"', '":"', '"a:"', '":a"', '"a:b:c"',
  '"arqonbus"', '"arqonbus:control"', '"arqonbus:inbox"', '"arqonbus:*"', '"integriguard:*"', '"integriguard:telemetry-stream"', '"science:pm"',
  '"__proto__"', '"constructor"', '"../../etc/passwd"', '"%2e%2e"', '"${7*7}"', '"\'; DROP TABLE clients; --"', '"<script>alert(1)</script>"',
  '"0-0"', '"1-1"', '"-1-1"', '"01-1"', '"1-1 "', '"9999999999999999-9999999999999999"', '"9007199254740991-9007199254740991"',
  '[]', '[[]]', '[null]', '["science:explore"]', '[{}]', '{}', '{"a":1}', '{"length":1000000000}', '{"toString":null}', '{"$ne":null}',
  '{"explore":"1-1"}', '{"a\\nb":12}', `"${'x'.repeat(100_000)}"`, `[${'0,'.repeat(20_000)}0]`, `{"a":${'['.repeat(50)}${']'.repeat(50)}}`,
] // biome-ignore format: a compact list

describe('hostile parameter values', () => {
  test.each(Object.keys(commands) as CommandName[])(
    'any parameter value gets exactly one reply, which is no internal error: %s',
    async (name) => {
      for (const parameter of [...Object.keys(commands[name].parameters.properties), 'nonsense', '']) {
        for (const value of hostile) {
          const heard = await eve.probe(commandText(name, `{"${parameter}":${value}}`))
          // She may have joined telemetry by then, and receives events about herself.
          const frames = heard.filter(({ type }) => type !== 'telemetry')
          const attempt = [name, parameter, value.slice(0, 50), frames.length === 1 ? undefined : frames]
          const [reply] = frames
          expect([...attempt, reply?.payload]).toMatchObject([
            name,
            parameter,
            value.slice(0, 50),
            undefined,
            { command: name },
          ])
          expect([...attempt, JSON.stringify(reply)]).not.toMatchObject([
            name,
            parameter,
            expect.anything(),
            undefined,
            expect.stringContaining('internal_error'),
          ])
          expect(textOf(reply!).length).toBeLessThan(20_000)
        }
      }
      expect(faults).toEqual([])
    },
  )

  test('parameters that are no object are refused as invalid parameters by every command', async () => {
    for (const name of Object.keys(commands)) {
      for (const parameters of ['null', 'true', '1', '"x"', '[]', '[{}]']) {
        expect(onlyRefusal(await eve.probe(commandText(name, parameters)))).toMatchObject({
          code: 'invalid_parameters',
          details: { path: '/parameters' },
        })
      }
    }
  })

  test('only the right admin key gives a command the admin role', async () => {
    const keys = [
      '',
      'x',
      ADMIN_KEY.slice(1),
      `${ADMIN_KEY} `,
      ADMIN_KEY.toUpperCase(),
      `${ADMIN_KEY}\u0000`,
      ADMIN_KEY.slice(0, -1),
    ]
    for (const admin_key of keys) {
      expect((await refusal(eve.command('pause_room', { room: 'science', admin_key }))).code).toBe('forbidden')
    }
    for (const value of ['true', '1', 'null', '[]', `["${ADMIN_KEY}"]`, '{}']) {
      expect(
        onlyRefusal(await eve.probe(commandText('pause_room', `{"room":"science","admin_key":${value}}`))).code,
      ).toBe('invalid_parameters')
    }
    expect((await refusal(eve.command('pause_room', { room: 'science' }))).code).toBe('forbidden')
  })
})

describe('refused requests without side effects', () => {
  test('a refused join over the subscription limit creates no channel', async () => {
    const small = await startBus({ maxSubscriptions: 1 })
    const client = await small.connect({ query: { join: 'science:explore' } })
    const before = await small.metric('arqonbus_channels')
    for (const channel of ['science:new', 'new:new', 'other:*']) {
      expect((await refusal(client.command('join_channel', { channel }))).code).toBe('too_many_subscriptions')
    }
    expect(await small.metric('arqonbus_channels')).toBe(before)
    expect((await refusal(client.command('list_channels', { room: 'new' }))).code).toBe('room_not_found')
    expect((await refusal(client.command('history', { channel: 'other:*' }))).code).toBe('room_not_found')
    await client.close()
  })

  test('a publish refused for its paused room or its unavailable durability level creates no channel', async () => {
    const before = await channels()
    await eve.command('create_channel', { room: 'paused', channel: 'one' })
    await eve.command('pause_room', { room: 'paused', admin_key: ADMIN_KEY })
    expect((await refusal(eve.publish({ room: 'paused', channel: 'two' }))).code).toBe('room_paused')
    expect((await refusal(eve.publish({ room: 'levels', channel: 'one', metadata: { ack: 'disk' } }))).code).toBe(
      'storage_unavailable',
    )
    expect(
      (await refusal(eve.publish({ room: 'levels', channel: '*', metadata: { ack: { replicas: 1 } } }))).code,
    ).toBe('storage_unavailable')
    await eve.command('delete_channel', { room: 'paused', channel: 'one' })
    await eve.command('delete_room', { room: 'paused', admin_key: ADMIN_KEY })
    expect(await channels()).toBe(before)
    expect((await refusal(eve.command('list_channels', { room: 'levels' }))).code).toBe('room_not_found')
  })

  test('a refused publish over the channel limit creates no room', async () => {
    const small = await startBus({ maxChannels: 5 })
    const client = await small.connect({ query: { join: 'science:explore' } })
    const before = await small.metric('arqonbus_rooms')
    expect(await small.metric('arqonbus_channels')).toBe(5)
    expect((await refusal(client.publish({ room: 'new', channel: 'new' }))).code).toBe('too_many_channels')
    expect((await refusal(client.command('join_channel', { channel: 'newer:new' }))).code).toBe('too_many_channels')
    expect((await refusal(client.command('create_channel', { channel: 'newest:new' }))).code).toBe('too_many_channels')
    expect(await small.metric('arqonbus_rooms')).toBe(before)
    await client.close()
  })

  test('a join of several addresses of which one is contradictory or has an invalid position creates no channel', async () => {
    const before = await channels()
    for (const wrong of [
      { room: 'x', channel: 'y:z' },
      { channel: 'good:one', since: '9999999999999999-1' },
      { channel: 'good:*', since: '1-1' },
    ]) {
      const [outcome] = await Promise.all([
        eve.command('join_channel', { channels: [{ channel: 'good:two' }, wrong] }).catch(() => 'refused' as const),
      ])
      if (outcome === 'refused') {
        expect(await channels()).toBe(before)
      } else {
        expect(outcome).toMatchObject({ results: [{ channel: 'good:two' }, { error: { code: 'invalid_parameters' } }] })
        await eve.command('leave_channel', { channel: 'good:two' })
        await eve.command('delete_channel', { channel: 'good:two' })
      }
    }
    expect(await channels()).toBe(before)
  })

  test('a private message with an unknown recipient or a used id reaches no inbox', async () => {
    const [ada, bob] = await Promise.all(
      ['ada', 'bob'].map((id) => bus.connect({ query: { client_id: id, session: 'none' } })),
    )
    const id = 'arq_private'
    const toUnknown = await refusal(
      eve.publish({ type: 'private', channel: 'pm', metadata: { to: ['ada', 'nobody', 'bob', 'no-one'] } }),
    )
    expect(toUnknown).toMatchObject({ code: 'client_not_found', details: { client_ids: ['nobody', 'no-one'] } })
    await eve.publish({ id, type: 'private', channel: 'pm', metadata: { to: 'ada' } })
    expect((await refusal(eve.publish({ id, type: 'private', channel: 'pm', metadata: { to: 'bob' } }))).code).toBe(
      'id_conflict',
    )
    expect(
      (
        await refusal(
          eve.publish({ id, type: 'private', channel: 'pm', payload: { other: 1 }, metadata: { to: 'ada' } }),
        )
      ).code,
    ).toBe('id_conflict')
    expect(await ada!.messages()).toMatchObject([{ id }])
    expect(await bob!.messages()).toEqual([])
    expect(await eve.messages()).toMatchObject([{ id }])
    await Promise.all([ada!.close(), bob!.close()])
  })
})

describe('recipients', () => {
  const to = (recipients: string) =>
    `{"version":"1.0","id":"arq_to${++count}","type":"private","room":"science","channel":"pm","from":"eve","timestamp":"2026-11-21T12:00:00Z","payload":{},"metadata":{"to":${recipients}}}`

  test.each([
    '""',
    'null',
    'true',
    '1',
    '{}',
    '[]',
    '[[]]',
    '[null]',
    '["eve","eve"]',
    '["eve",["eve"]]',
    '"*"',
    '"eve,ada"',
    '" eve"',
    '"eve\\n"',
    '["eve",""]',
    `[${Array.from({ length: 33 }, (_, i) => `"c${i}"`).join()}]`,
    `"${'x'.repeat(129)}"`,
  ])('%s are refused as recipients', async (recipients) => {
    expect(onlyRefusal(await eve.probe(to(recipients)))).toMatchObject({ code: 'invalid_envelope' })
  })

  test('a message to recipients that do not exist is refused: the bus, its rooms, an id in capitals', async () => {
    for (const recipients of [
      '"arqonbus"',
      '"science"',
      '"EVE"',
      '["eve","constructor"]',
      `[${Array.from({ length: 32 }, (_, i) => `"c${i}"`).join()}]`,
    ]) {
      expect(onlyRefusal(await eve.probe(to(recipients))).code).toBe('client_not_found')
    }
  })

  test('a message whose sender is also its recipient reaches the sender once', async () => {
    const ada = await bus.connect({ query: { client_id: 'ada', session: 'none' } })
    expect(await eve.probe(to('"eve"'))).toMatchObject([{ type: 'private' }])
    expect(await eve.probe(to('["eve"]'))).toMatchObject([{ type: 'private' }])
    expect(await eve.probe(to('["ada","eve"]'))).toMatchObject([{ type: 'private' }])
    expect(await ada.messages()).toHaveLength(1)
    await ada.close()
  })
})

describe('invented cursors, positions and limits', () => {
  test('an invented cursor is refused or leads to a page', async () => {
    for (let i = 0; i < 5; i++) await eve.command('create_channel', { room: 'pages', channel: `c${i}` })
    const page = await eve.command('list_channels', { room: 'pages', limit: 2 })
    expect(page.channels).toHaveLength(2)
    for (const cursor of [
      '',
      ' ',
      '-1',
      '+1',
      '1.5',
      'zzzzzzzzzzzz',
      'Z',
      `${page.cursor} `,
      `${page.cursor}\n`,
      '٣',
    ]) {
      expect((await refusal(eve.command('list_channels', { room: 'pages', cursor }))).code).toBe('invalid_parameters')
      expect((await refusal(eve.command('list_clients', { cursor }))).code).toBe('invalid_parameters')
    }
    for (const cursor of ['0', '1', '0x10', 'null', 'zzzzz', '00000000001']) {
      const { channels } = await eve.command('list_channels', { room: 'pages', cursor })
      expect(channels.length).toBeLessThanOrEqual(5)
    }
    for (let i = 0; i < 5; i++) await eve.command('delete_channel', { room: 'pages', channel: `c${i}` })
  })

  test('an invented position is refused or leads to a page, and never to an endless one', async () => {
    const positions: string[] = []
    for (let i = 0; i < 3; i++) positions.push((await eve.publish({ room: 'science', channel: 'read' })).position!)
    const history = (parameters: object) => eve.command('history', { channel: 'science:read', ...parameters } as never)
    const ms = positions[0]!.split('-')[0]
    for (const at of ['0-0', '1-1', `${ms}-0`, `${ms}-2`, `${ms}-4`, `${ms}-9007199254740991`, '9007199254740991-1']) {
      for (const order of ['asc', 'desc']) {
        for (const parameters of [
          { after: at, order },
          { before: at, order },
          { after: at, order, limit: 1000 },
          { before: at, order, limit: 1 },
        ]) {
          const { messages, has_more } = await history(parameters)
          expect([parameters, messages.length <= 3, typeof has_more]).toEqual([parameters, true, 'boolean'])
        }
      }
    }
    for (const at of [
      '',
      '0',
      '-',
      '1-',
      '-1',
      '1--1',
      '1-1-1',
      '+1-1',
      '1.0-1',
      '1e3-1',
      '00-1',
      '9007199254740992-1',
      '1-9007199254740992',
      '١-١',
    ]) {
      expect((await refusal(history({ after: at }))).code).toBe('invalid_parameters')
      expect((await refusal(history({ before: at }))).code).toBe('invalid_parameters')
    }
    for (const limit of [0, -1, 1001, 1.5, '50', null, [], true]) {
      expect((await refusal(history({ limit }))).code).toBe('invalid_parameters')
    }
    expect((await refusal(history({ after: positions[0], before: positions[2] }))).code).toBe('invalid_parameters')
  })

  test('a join from a position that never existed does not recover, says so, delivers what is kept and is live', async () => {
    const ada = await bus.connect({ query: { client_id: 'ada', session: 'none' } })
    const last = await eve.publish({ room: 'science', channel: 'joined' })
    const { position } = await eve.publish({ room: 'science', channel: 'joined' })
    const [ms, n] = position!.split('-').map(Number) as [number, number]
    const never = [
      '0-0',
      '1-1',
      `${ms}-${n + 1}`,
      `${ms + 1}-${n}`,
      `${ms - 100_000}-${n}`,
      `${ms}-9007199254740991`,
      `9007199254740991-${n}`,
    ]
    for (const since of never) {
      const joined = await ada.command('join_channel', { channel: 'science:joined', since })
      expect([since, joined]).toMatchObject([
        since,
        { recovered: false, reason: expect.stringMatching(/^(reset|diverged|trimmed)$/) },
      ])
    }
    const otherId = await ada.command('join_channel', {
      channel: 'science:joined',
      since: last.position!,
      since_id: 'arq_another',
    })
    expect(otherId).toMatchObject({ recovered: false, reason: 'diverged' })
    const numbersOf = (frames: readonly Frame[]) => frames.map(({ metadata }) => metadata!.position!.split('-')[1])
    expect(numbersOf(await ada.messages())).toEqual([...never, 'by the id'].flatMap(() => ['1', '2']))
    await eve.publish({ room: 'science', channel: 'joined' })
    expect(await ada.messages()).toHaveLength(1)
    for (const since of ['', 'x', '1', '-1-1', '9007199254740992-1', null, 1, [], ['1-1']]) {
      const code = (await refusal(ada.command('join_channel', { channel: 'science:joined', since } as never))).code
      expect([since, code]).toEqual([since, 'invalid_parameters'])
    }
    await ada.close()
  })
})

test('a disconnect reason arrives as text, however many bytes its characters take, and never breaks the close', async () => {
  for (const reason of [
    '',
    'x'.repeat(100),
    `${'ü'.repeat(100)}`,
    `x${'ü'.repeat(99)}`,
    `xx${'€'.repeat(98)}`,
    `x${'🚀'.repeat(99)}`,
    '\ud83d'.repeat(100),
  ]) {
    const raw = await openRaw(`${bus.busUrl}?client_id=unwanted&session=none`)
    await raw.nextJson()
    await eve.command('disconnect_client', { client_id: 'unwanted', reason, admin_key: ADMIN_KEY })
    const end = await raw.ended
    expect(end.code).toBe(4411)
    expect(Buffer.byteLength(end.reason)).toBeLessThanOrEqual(123)
    expect(reason.toWellFormed().startsWith(end.reason)).toBe(true)
  }
  for (const reason of ['x'.repeat(101), 'a\nb', '\u0000', 'a\u0085b']) {
    const refused = refusal(eve.command('disconnect_client', { client_id: 'unwanted', reason, admin_key: ADMIN_KEY }))
    expect((await refused).code).toBe('invalid_parameters')
  }
})

test('after all invalid commands the bus serves as before', async () => {
  expect(faults).toEqual([])
  await expectServed(bus)
})
