/** Streams that wait for channels in a store: what they leave behind, and how much they load at once. */
import { expect, test } from 'bun:test'
import { selfDeclared } from '../../auth/authenticate.ts'
import { Account, Source } from '../../limits/accounts.ts'
import { createMetrics } from '../../observability/metrics.ts'
import type { Client } from '../../state/model.ts'
import type { Transport } from '../../state/transport.ts'
import { createAwaited } from './awaited.ts'
import { Streams } from './streams.ts'

const account = new Account('ann', new Source('192.0.2.1'))

/** Streams for which no channel exists; the test ends the loads. */
function setUp() {
  const awaited = createAwaited()
  const loads: { readonly address: string; readonly end: () => void }[] = []
  const transports: Transport[] = []
  let isAway = false
  const admission = {
    loadSession: () => undefined,
    admitStream(_: unknown, __: unknown, transport: Transport) {
      transports.push(transport)
      return { identity: {}, account, transport } as Client
    },
    depart() {},
  }
  const streams = new Streams({
    clock: { monotonic: () => 0 },
    metrics: createMetrics(),
    admission,
    awaited,
    slowConsumers: { addOwner: () => () => {}, limits: {} },
    resolver: { isCreatable: () => true },
    persistence: {
      isUnsure: () => isAway,
      loadTarget: (room: string, channel: string) =>
        isAway
          ? undefined
          : new Promise<void>((end) => {
              loads.push({ address: `${room}:${channel}`, end })
            }),
    },
    sendBufferHardLimit: 1_000_000,
    random: () => 0,
  } as unknown as ConstructorParameters<typeof Streams>[0])
  const open = (...names: readonly string[]) =>
    streams.open({
      credentials: { clientId: undefined, token: undefined, authenticated: selfDeclared.user, session: undefined },
      channels: names.map((channel) => {
        return {
          room: 'none',
          channel,
          since: undefined,
          sinceId: undefined,
          type: undefined,
          options: {},
          isNew: false,
        }
      }),
      cursor: undefined,
      signal: new AbortController().signal,
      address: '127.0.0.1',
    })
  /** Ends the loads that were begun; resolves when those that follow have begun. */
  const endLoads = async () => {
    const ended = loads.splice(0)
    for (const { end } of ended) end()
    await new Promise(setImmediate)
    return ended.length
  }
  const goAway = () => {
    isAway = true
  }
  return { streams, awaited, loads, transports, open, endLoads, goAway }
}

test('a stream that the server ends while its channel is loaded waits for nothing afterwards', async () => {
  const { awaited, transports, open, endLoads } = setUp()
  const opening = open('a', 'b')
  await new Promise(setImmediate)
  transports[0]!.terminate()
  expect(await endLoads()).toBe(1)
  await opening
  expect(awaited.addresses()).toEqual([])
})

test('the channels that streams wait for are loaded a few at a time, and not again before all of them were', async () => {
  const { streams, awaited, loads, open, endLoads } = setUp()
  const names = Array.from({ length: 150 }, (_, n) => `c${n}`)
  const opening = open(...names)
  await new Promise(setImmediate)
  while ((await endLoads()) > 0);
  await opening
  expect(awaited.size).toBe(150)
  const looked = streams.look()
  await streams.look()
  const counts: number[] = []
  while (loads.length > 0) counts.push(await endLoads())
  expect(counts).toEqual([64, 64, 22])
  await looked
  void streams.look()
  expect(loads.length).toBe(64)
})

test('nothing more is loaded when the store is away', async () => {
  const { streams, loads, open, endLoads, goAway } = setUp()
  const names = Array.from({ length: 150 }, (_, n) => `c${n}`)
  const opening = open(...names)
  await new Promise(setImmediate)
  while ((await endLoads()) > 0);
  await opening
  const looked = streams.look()
  goAway()
  expect(await endLoads()).toBe(64)
  await looked
  expect(loads).toEqual([])
})
