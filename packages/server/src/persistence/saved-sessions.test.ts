import { expect, test } from 'bun:test'
import { testClock } from '@arqonbus/testing'
import { Account, Source } from '../limits/accounts.ts'
import { createClients } from '../state/clients.ts'
import { createSessions } from '../state/sessions.ts'
import { SavedSessions } from './saved-sessions.ts'
import type { Change, Store } from './store.ts'

const sessionTtlMs = 600_000
const profile = { clientType: 'human' } as const

/** A persistence over a store that takes everything. */
function rig(most = 10) {
  const clock = testClock()
  const records = new Map<string, Change>()
  let persistence: SavedSessions | undefined
  const store: Pick<Store, 'isAway' | 'write' | 'session'> = {
    isAway: false,
    async write(changes) {
      for (const change of changes) records.set(change.name, change)
      return []
    },
    session: async (id, key) => (records.get(id)?.session?.key === key ? records.get(id)?.text : undefined),
  }
  const source = new Source('192.0.2.1')
  const accountOf = (id: string) => new Account(id, source)
  const sessions = createSessions({
    maxSessions: most,
    sessionBytes: 1 << 20,
    clock,
    accountOfStored: accountOf,
    changed: (id, isNew) => persistence?.changed(id, isNew),
  })
  const begin = (clientId: string) => sessions.begin({ clientId, account: accountOf(clientId), profile })
  const clients = createClients()
  const saved = new SavedSessions({
    store,
    clock,
    sessions,
    clients,
    sessionTtlMs,
    maxSessions: most,
    maxSubscriptions: 10,
    isWhole: true,
    hasInbox: () => false,
  })
  persistence = saved
  saved.writes.ready()
  return {
    persistence: saved,
    sessions,
    begin,
    records,
    settled: () => saved.writes.flushed(),
    pass(ms: number) {
      clock.advance(ms)
      saved.sweep(clock.monotonic())
    },
    clock,
  }
}

test('the record of a connected client is rewritten in time and outlives a session', async () => {
  const { begin, records, settled, pass, clock } = rig()
  begin('ann')
  await settled()
  for (let minute = 0; minute < 30; minute++) {
    pass(60_000)
    await settled()
    expect(records.get('ann')!.session!.until - clock.now()).toBeGreaterThanOrEqual(sessionTtlMs)
  }
  expect(records.get('ann')!.session!.until - clock.now()).toBeLessThanOrEqual(1.2 * sessionTtlMs)
})

test('the record of a disconnected client ends with its session', async () => {
  const { sessions, begin, records, settled, pass, clock } = rig()
  const { session } = begin('ann')
  const end = clock.now() + sessionTtlMs
  sessions.keep(session, new Map([['science:a', {}]]), clock.monotonic() + sessionTtlMs)
  await settled()
  expect(records.get('ann')).toMatchObject({ session: { until: end } })
  pass(sessionTtlMs / 2)
  await settled()
  expect(records.get('ann')).toMatchObject({ session: { until: end } })
})

test('sessions that end, or are evicted because there are too many, are removed from the store', async () => {
  const { sessions, begin, records, settled, clock } = rig(1)
  const begun = ['one', 'two', 'three'].map((id) => begin(id).session)
  for (const session of begun) sessions.keep(session, new Map(), clock.monotonic() + sessionTtlMs)
  await settled()
  expect([...records.values()].map(({ text }) => text !== undefined)).toEqual([false, false, true])
  sessions.end(begun[2]!)
  await settled()
  expect(records.get('three')!.text).toBeUndefined()
})

test('a secret opens a stored session unless this server knows that it has ended', async () => {
  const { persistence, sessions, begin, settled, clock } = rig()
  const { session, secret } = begin('ann')
  sessions.keep(session, new Map(), clock.monotonic() + sessionTtlMs)
  await settled()
  sessions.sweep(clock.monotonic() + sessionTtlMs)
  expect(sessions.get('ann')).toBeUndefined()
  expect(await persistence.load('ann', `${secret}x`)).toBeUndefined()
  const restore = await persistence.load('ann', secret)
  expect(sessions.get('ann')).toBeUndefined()
  restore!()
  expect(sessions.find('ann', secret)).toMatchObject({ clientId: 'ann' })
  sessions.end(sessions.get('ann')!)
  expect(persistence.load('ann', secret)).toBeUndefined()
})
