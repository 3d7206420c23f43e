import { expect, test } from 'bun:test'
import { type Authenticated, selfDeclared } from '../auth/authenticate.ts'
import { createMetrics } from '../observability/metrics.ts'
import { StreamTickets, TICKET_MS, type TicketHolder } from './stream-tickets.ts'

let now = 0
const ticketsFor = (most: number) =>
  new StreamTickets({ clock: { monotonic: () => now }, metrics: createMetrics(), most })
const holder = (subject: string): TicketHolder => {
  const authenticated: Authenticated = { ...selfDeclared.user, subject }
  return { authenticated, clientId: undefined, session: undefined }
}

test('a subject that makes tickets without end loses its own oldest ones, and no other subject loses any', () => {
  const tickets = ticketsFor(200)
  const other = tickets.make(holder('ben'))
  const made = Array.from({ length: 1000 }, () => tickets.make(holder('ann')))
  expect(tickets.take(other).authenticated.subject).toBe('ben')
  expect(() => tickets.take(made[899]!)).toThrow('A valid token is required.')
  expect(tickets.take(made[900]!).authenticated.subject).toBe('ann')
  expect(tickets.take(made[999]!).authenticated.subject).toBe('ann')
})

test('tickets that were used or have expired leave space for others', () => {
  const tickets = ticketsFor(2)
  const first = tickets.make(holder('ann'))
  tickets.make(holder('ben'))
  expect(() => tickets.make(holder('cid'))).toThrow('Too many requests')
  tickets.take(first)
  tickets.make(holder('cid'))
  now += TICKET_MS
  expect([tickets.make(holder('dan')), tickets.make(holder('eve'))]).toHaveLength(2)
})
