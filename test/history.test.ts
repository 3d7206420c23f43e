/** The history of channels, and its limits (docs/protocol.md#history-and-recovery, `history`). */
import { describe, expect, test } from 'bun:test'
import type { CommandParameters } from '@arqonbus/protocol'
import { eventually, type Frame, refusal, startBus, type TestClient, testClock, textOf } from '@arqonbus/testing'

const clock = testClock()
const bus = await startBus({ rateLimit: null, adminKey: 'let-me-in', historySize: 2000 }, { clock })
const client = await bus.as('client')

const contents = (frames: readonly Frame[]) => frames.map((frame) => frame.payload.n)
const positionOf = (frame: Frame) => frame.metadata!.position!
const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i)

/** Publishes `{ n }` for each number; resolves to the positions. */
async function fill(channel: string, all: readonly number[], speaker: TestClient = client): Promise<string[]> {
  const positions: string[] = []
  for (const n of all) positions.push((await speaker.publish({ room: 'log', channel, payload: { n } })).position!)
  return positions
}
const read = (channel: string, query: CommandParameters<'history'> = {}, reader: TestClient = client) =>
  reader.command('history', { channel: `log:${channel}`, ...query })

describe('the selection of messages', async () => {
  const at = await fill('hundred', numbers(1, 100))
  const position = (n: number) => at[n - 1]!

  const pages: [string, CommandParameters<'history'>, number[], boolean][] = [
    ['without bounds the oldest 50', {}, numbers(1, 50), true],
    ['without bounds, desc, the newest 50, newest first', { order: 'desc' }, numbers(51, 100).reverse(), true],
    ['a limit', { limit: 3 }, [1, 2, 3], true],
    ['a limit, desc', { limit: 3, order: 'desc' }, [100, 99, 98], true],
    ['a limit equal to the number of messages', { limit: 100 }, numbers(1, 100), false],
    ['a limit equal to the number of messages, desc', { limit: 100, order: 'desc' }, numbers(1, 100).reverse(), false],
    ['the highest limit', { limit: 1000 }, numbers(1, 100), false],
    ['after a position, the next ones', { after: position(10), limit: 3 }, [11, 12, 13], true],
    [
      'after a position, desc, the same ones, newest first',
      { after: position(10), limit: 3, order: 'desc' },
      [13, 12, 11],
      true,
    ],
    ['after a position, up to the end', { after: position(97) }, [98, 99, 100], false],
    ['after the last', { after: position(100) }, [], false],
    ['after a future position', { after: `${clock.now()}-1000` }, [], false],
    ['after the origin', { after: `${clock.now()}-0`, limit: 2 }, [1, 2], true],
    ['before a position, the last ones', { before: position(10), limit: 3 }, [7, 8, 9], true],
    [
      'before a position, desc, the same ones, newest first',
      { before: position(10), limit: 3, order: 'desc' },
      [9, 8, 7],
      true,
    ],
    ['before a position, down to the beginning', { before: position(4) }, [1, 2, 3], false],
    ['before the first', { before: position(1) }, [], false],
    ['before a future position', { before: `${clock.now()}-1000`, limit: 2 }, [99, 100], true],
  ]

  test.each(pages)('history returns the expected page: %s', async (_, query, expected, hasMore) => {
    const result = await read('hundred', query)
    expect(contents(result.messages)).toEqual(expected)
    expect(result).toMatchObject({ first: position(1), last: position(100), has_more: hasMore })
  })

  test('the pages read by `after` or by `before` together contain every message exactly once', async () => {
    const forwards: unknown[] = []
    for (let after: string | undefined, more = true; more; ) {
      const page = await read('hundred', { limit: 7, ...(after && { after }) })
      forwards.push(...contents(page.messages))
      after = positionOf(page.messages.at(-1)!)
      more = page.has_more
    }
    expect(forwards).toEqual(numbers(1, 100))
    const backwards: unknown[] = []
    for (let before: string | undefined, more = true; more; ) {
      const page = await read('hundred', { limit: 7, order: 'desc', ...(before && { before }) })
      backwards.push(...contents(page.messages))
      before = positionOf(page.messages.at(-1)!)
      more = page.has_more
    }
    expect(backwards).toEqual(numbers(1, 100).reverse())
  })

  test('limits outside 1 to 1000, malformed positions and both bounds at once are refused', async () => {
    const wrong: [object, string][] = [
      [{ limit: 0 }, 'limit'],
      [{ limit: 1001 }, 'limit'],
      [{ limit: 1.5 }, 'limit'],
      [{ limit: '5' }, 'limit'],
      [{ after: '1' }, 'after'],
      [{ after: '9999999999999999-1' }, 'after'],
      [{ before: '-1-1' }, 'before'],
      [{ after: position(1), before: position(2) }, 'before'],
      [{ order: 'up' }, 'order'],
      [{ with: 'somebody' }, 'with'],
    ]
    for (const [query, field] of wrong) {
      expect(await refusal(read('hundred', query as CommandParameters<'history'>))).toMatchObject({
        code: 'invalid_parameters',
        details: { path: `/parameters/${field}` },
      })
    }
  })
})

describe('contents of the history', () => {
  test('the history of a channel without messages starts and ends at the origin of its log', async () => {
    await client.command('create_channel', { channel: 'log:silent' })
    const origin = `${clock.now()}-0`
    expect(await read('silent')).toEqual({ messages: [], first: origin, last: origin, has_more: false })
  })

  test('commands, replies, notices and telemetry are in no history', async () => {
    await client.command('join_channel', { channel: 'log:plain' })
    await client.command('ping', {}, { room: 'log', channel: 'plain' })
    client.send({
      type: 'telemetry',
      room: 'integriguard',
      channel: 'telemetry-stream',
      payload: { eventType: 'x', payload: {} },
    })
    await fill('plain', [1])
    expect(contents((await read('plain')).messages)).toEqual([1])
    expect(await refusal(client.command('history', { channel: 'integriguard:telemetry-stream' }))).toMatchObject({
      code: 'system_channel',
    })
    expect(await refusal(client.command('history', { channel: 'arqonbus:control' }))).toMatchObject({
      code: 'system_channel',
    })
  })

  test('history contains every accepted message, acknowledged or not, and no refused one', async () => {
    client.send({ room: 'log', channel: 'all', payload: { n: 1 } })
    await client.publish({ room: 'log', channel: 'all', payload: { n: 2 } })
    expect(
      await refusal(client.publish({ room: 'log', channel: 'all', payload: { n: 3 }, metadata: { ack: 'disk' } })),
    ).toMatchObject({
      code: 'storage_unavailable',
    })
    expect(contents((await read('all')).messages)).toEqual([1, 2])
  })

  test('the broadcast channel of a room has a history of its own', async () => {
    await client.publish({ room: 'log', channel: '*', payload: { n: 1 } })
    const { messages } = await read('*')
    expect(messages).toMatchObject([{ channel: '*', payload: { n: 1 } }])
    expect(positionOf(messages[0]!)).toBe(`${clock.now()}-1`)
  })

  test('only members and holders of the admin key can read the history of a private channel', async () => {
    const [member, stranger] = await Promise.all([bus.as('member'), bus.as('stranger')])
    await client.command('create_channel', {
      channel: 'log:private',
      type: 'private',
      metadata: { members: ['member'] },
    })
    await fill('private', [1, 2])
    expect(contents((await read('private', {}, member)).messages)).toEqual([1, 2])
    expect(await refusal(read('private', {}, stranger))).toMatchObject({ code: 'forbidden' })
    expect(contents((await read('private', { admin_key: 'let-me-in' }, stranger)).messages)).toEqual([1, 2])
  })
})

describe('limits of the history of a channel', async () => {
  const forgetful = await startBus({ historyTtlMs: 1000, channelIdleMs: 50 }, { clock })

  test('a channel keeps its latest history_size messages: older ones are removed and counted, and the bounds follow', async () => {
    const before = await bus.metric('arqonbus_history_expired_total{reason="length"}')
    await client.command('create_channel', { channel: 'log:short', options: { history_size: 3 } })
    const at = await fill('short', numbers(1, 10))
    const page = await read('short')
    expect(contents(page.messages)).toEqual([8, 9, 10])
    expect(page).toMatchObject({ first: at[7]!, last: at[9]!, has_more: false })
    expect(contents((await read('short', { after: at[2]! })).messages)).toEqual([8, 9, 10])
    expect(await read('short', { before: at[2]! })).toMatchObject({ messages: [], has_more: false })
    expect(await bus.metric('arqonbus_history_expired_total{reason="length"}')).toBe(before + 7)
  })

  test('a channel with history_size 0 keeps no messages, and its positions still advance', async () => {
    await client.command('create_channel', { channel: 'log:none', options: { history_size: 0 } })
    const at = await fill('none', [1, 2])
    expect(at.map((position) => position.split('-')[1])).toEqual(['1', '2'])
    expect(await read('none')).toEqual({ messages: [], first: at[1]!, last: at[1]!, has_more: false })
  })

  test('a channel keeps messages for history_ttl_ms, to the millisecond', async () => {
    await client.command('create_channel', { channel: 'log:brief', options: { history_ttl_ms: 1000 } })
    const [one] = await fill('brief', [1])
    clock.advance(600)
    const [two] = await fill('brief', [2])
    clock.advance(399)
    expect(await read('brief')).toMatchObject({ first: one!, last: two! })
    clock.advance(1)
    const page = await read('brief')
    expect(contents(page.messages)).toEqual([2])
    expect(page.first).toBe(two!)
    clock.advance(600)
    expect(await read('brief')).toEqual({ messages: [], first: two!, last: two!, has_more: false })
    expect((await fill('brief', [3]))[0]).toEndWith('-3')
  })

  test('expired messages are removed without a read, and counted', async () => {
    const speaker = await forgetful.as('speaker')
    await fill('old', numbers(1, 5), speaker)
    clock.advance(1000)
    await eventually(async () => expect(await forgetful.metric('arqonbus_history_expired_total{reason="age"}')).toBe(5))
    expect(await forgetful.metric('arqonbus_history_bytes')).toBe(0)
  })
})

describe('the limit of all channels together', () => {
  const KiB = 1024
  /** Starts a bus for one test that keeps 16 KiB. */
  const setUp = async () => {
    const small = await startBus({ historyBytes: 16 * KiB, rateLimit: null }, { clock })
    const speaker = await small.as('speaker')
    const say = async (channel: string, n: number) => {
      await speaker.publish({ room: 'log', channel, payload: { n, text: 'x'.repeat(KiB) } })
      clock.advance(1)
    }
    return { small, speaker, say }
  }

  test('the history of all channels is bounded in bytes, and the oldest message of any channel is removed first', async () => {
    const { small, speaker, say } = await setUp()
    for (const n of numbers(1, 6)) await say('quiet', n)
    for (const n of numbers(1, 3)) await say('late', n)
    await say('quiet', 7)
    for (const n of numbers(1, 12)) await say('busy', n)
    const kept = async (channel: string) =>
      contents((await speaker.command('history', { channel: `log:${channel}` })).messages)
    const [quiet, late, busy] = [await kept('quiet'), await kept('late'), await kept('busy')]
    expect(quiet.length + late.length + busy.length).toBe(12)
    expect([quiet, late, busy]).toEqual([[], [], numbers(1, 12)])
    expect(await small.metric('arqonbus_history_bytes')).toBeWithin(12 * KiB, 16 * KiB + 1)
    expect(await small.metric('arqonbus_history_expired_total{reason="bytes"}')).toBe(10)
  })

  test('a channel that falls silent does not take history space from busy channels', async () => {
    const { speaker, say } = await setUp()
    await say('silent', 1)
    for (const n of numbers(13, 40)) await say('busy', n)
    expect((await speaker.command('history', { channel: 'log:silent' })).messages).toEqual([])
    expect(contents((await speaker.command('history', { channel: 'log:busy' })).messages).at(-1)).toBe(40)
  })

  test('a message larger than the whole history limit is delivered but not kept', async () => {
    const { speaker } = await setUp()
    await speaker.command('join_channel', { channel: 'log:huge' })
    const { position } = await speaker.publish({
      room: 'log',
      channel: 'huge',
      payload: { text: 'x'.repeat(20 * KiB) },
    })
    expect((await speaker.messages()).map(positionOf)).toEqual([position!])
    expect(await speaker.command('history', { channel: 'log:huge' })).toEqual({
      messages: [],
      first: position!,
      last: position!,
      has_more: false,
    })
  })
})

describe('the length of pages', async () => {
  const text = '漢'.repeat(1000)
  for (const n of numbers(1, 600)) client.send({ room: 'log', channel: 'long', payload: { n, text } })

  /** Reads a page, and the length of its frame. */
  async function page(query: CommandParameters<'history'>) {
    const id = client.send({
      type: 'command',
      payload: { name: 'history', parameters: { channel: 'log:long', limit: 1000, ...query } },
    })
    const frame = await client.next((one) => one.payload.request_id === id)
    expect(Buffer.byteLength(textOf(frame))).toBeLessThanOrEqual(client.welcome.limits.max_frame_bytes)
    return frame.payload.result as { messages: Frame[]; has_more: boolean }
  }

  test('pages read forwards end at the longest frame, and no message is left out', async () => {
    const all: unknown[] = []
    let pages = 0
    for (let after: string | undefined, more = true; more; pages++) {
      const { messages, has_more } = await page(after === undefined ? {} : { after })
      all.push(...contents(messages))
      after = positionOf(messages.at(-1)!)
      more = has_more
    }
    expect(all).toEqual(numbers(1, 600))
    expect(pages).toBeGreaterThan(3)
  })

  test('pages read backwards from the newest message end at the longest frame', async () => {
    const newest = await page({ order: 'desc' })
    expect(contents(newest.messages)[0]).toBe(600)
    const older = await page({ before: positionOf(newest.messages.at(-1)!) })
    expect(contents(older.messages).at(-1)).toBe(600 - newest.messages.length)
    expect(older.has_more).toBeTrue()
  })

  test('a message of the maximum size fits in a page by itself', async () => {
    const most = client.welcome.limits.max_message_bytes
    const envelope = (pad: number) =>
      `{"version":"1.0","id":"arq_longest","type":"event","room":"log","channel":"longest","from":"client","timestamp":"2026-01-01T00:00:00Z","payload":{"t":"${'x'.repeat(pad)}"}}`
    await client.command('join_channel', { channel: 'log:longest' })
    client.raw(envelope(most - envelope(0).length))
    const [delivered] = await client.messages()
    expect(Buffer.byteLength(textOf(delivered!))).toBeLessThanOrEqual(client.welcome.limits.max_frame_bytes)
    const { messages } = await page({ channel: 'log:longest' })
    expect(messages).toHaveLength(1)
  })
})
