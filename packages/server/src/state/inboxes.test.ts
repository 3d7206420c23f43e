import { expect, test } from 'bun:test'
import type { Log } from '../log/contract.ts'
import { createInboxes } from './inboxes.ts'
import type { Session } from './sessions.ts'

/** So many inboxes, each with a session. */
function setUp(count: number) {
  let closed = 0
  let looks = 0
  const inboxes = createInboxes({
    open: () => ({ close: () => void closed++ }) as unknown as Log,
    closed: () => undefined,
  })
  const sessions = new Map<string, Session>()
  for (let i = 0; i < count; i++) {
    const session = { clientId: `client-${i}`, secretHash: Buffer.from(`secret of ${i}`) } as Session
    sessions.set(session.clientId, session)
    inboxes.open(session)
  }
  const sweep = (times: number) => {
    looks = 0
    for (let i = 0; i < times; i++)
      inboxes.sweep((clientId) => {
        looks++
        return sessions.get(clientId)
      })
    return looks
  }
  return { inboxes, sessions, sweep, closed: () => closed }
}

test('a sweep checks a share of the inboxes, and each inbox within a minute', () => {
  const { inboxes, sessions, sweep, closed } = setUp(6000)
  expect(sweep(1)).toBe(200)
  for (const id of [...sessions.keys()]) if (id.endsWith('7')) sessions.delete(id)
  expect(sweep(60)).toBeLessThan(60 * 200 + 1)
  expect([inboxes.size, closed()]).toEqual([5400, 600])
})

test('a sweep of few inboxes checks all of them and may remove all', () => {
  const { inboxes, sessions, sweep } = setUp(10)
  expect(sweep(2)).toBe(20)
  sessions.clear()
  sweep(1)
  expect(inboxes.size).toBe(0)
  expect(sweep(1)).toBe(0)
})
