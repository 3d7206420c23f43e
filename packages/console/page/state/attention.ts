/** What needs a person, as the server states it, in sentences with a link. */
import { count, counted, duration } from '../kit/text.ts'
import { linkTo, type View } from '../route.ts'
import { limits, type Status } from './status.ts'

/** One thing to look at. */
export type ToLookAt = {
  readonly code: string
  readonly level: 'warn' | 'bad'
  readonly text: string
  readonly since: string
  readonly link: { readonly text: string; readonly href: string }
}

type Words = {
  readonly level: ToLookAt['level']
  readonly text: (of: { subject: string; count: number }) => string
  readonly link: readonly [text: string, view: View, of?: string]
}

const words: Readonly<Record<string, Words>> = {
  storage_away: {
    level: 'bad',
    text: () => 'The log is unreachable. Messages are delivered and wait in the outage queue; history cannot be read.',
    link: ['Show events', 'telemetry'],
  },
  storage_slow: {
    level: 'warn',
    text: ({ count: ms }) =>
      `The log takes ${ms > 0 ? `${count(ms)} ms` : 'long'} to append: acknowledgements are late.`,
    link: ['Show events', 'telemetry'],
  },
  telemetry_unavailable: {
    level: 'warn',
    text: () => 'Telemetry is not available: its port could not be opened.',
    link: ['Show status', 'commands', 'status'],
  },
  slow_consumers: {
    level: 'warn',
    text: ({ count: slow }) =>
      `${counted(slow, 'client reads', 'clients read')} more slowly than messages arrive, and ${slow === 1 ? 'catches' : 'catch'} up from the log.`,
    link: ['Open clients', 'clients'],
  },
  refusals: {
    level: 'bad',
    text: ({ subject, count: refused }) =>
      `${counted(refused, 'frame was', 'frames were')} refused${subject === '' ? '' : `, most of them with ${subject}`}.`,
    link: ['Show events', 'telemetry'],
  },
  rate_limited: {
    level: 'bad',
    text: ({ subject, count: refused }) =>
      `${subject === '' ? 'Clients send' : `${subject} sends`} faster than the rate allows: ${counted(refused, 'message was', 'messages were')} refused.`,
    link: ['Show events', 'telemetry'],
  },
  limit_near: {
    level: 'warn',
    text: ({ subject }) => {
      const one = limits.value.find(({ limit }) => limit === subject)
      return `A limit is nearly reached: ${limitName(subject)}${one === undefined ? '' : `, ${count(Math.round((one.used / one.most) * 100))} % are in use`}.`
    },
    link: ['Show status', 'commands', 'status'],
  },
  draining: {
    level: 'warn',
    text: () => 'The server is shutting down: clients move to another node, or reconnect after the restart.',
    link: ['Show status', 'commands', 'status'],
  },
  event_loop_busy: {
    level: 'warn',
    text: ({ count: ms }) =>
      `The event loop is busy${ms > 0 ? `, it was held for ${count(ms)} ms` : ''}: everything on this node is late.`,
    link: ['Busiest clients', 'clients'],
  },
}

const limitNames: Readonly<Record<string, string>> = {
  dedup_bytes: 'Repeated ids',
  queued_bytes: 'Outage queue',
  send_buffer_bytes: 'Send buffers',
  fanout_bytes: 'Fan-out',
  api_streams: 'Event streams',
}

/** The name of a limit, for people. */
export function limitName(limit: string): string {
  const words = limit.replace(/_bytes$/, '').replaceAll('_', ' ')
  return limitNames[limit] ?? `${words.slice(0, 1).toUpperCase()}${words.slice(1)}`
}

/** What needs a person, the most urgent first, at most five. */
export function thingsToLookAt(status: Status | undefined): readonly ToLookAt[] {
  if (status === undefined) return []
  return status.attention.map(({ code, subject = '', since, count }) => {
    const known = Object.hasOwn(words, code) ? words[code] : undefined
    return {
      code,
      level: known?.level ?? 'warn',
      text: known?.text({ subject, count }) ?? `${code}${subject === '' ? '' : `: ${subject}`}`,
      since,
      link: whereToSolve(code, subject, known),
    }
  })
}

/** Where a thing is solved. */
function whereToSolve(code: string, subject: string, known: Words | undefined): ToLookAt['link'] {
  if (code === 'rate_limited' && subject !== '') return { text: `Open ${subject}`, href: linkTo('clients', subject) }
  if (code === 'limit_near' && /connections|subscriptions|send_buffer|streams/.test(subject))
    return { text: 'Open clients', href: linkTo('clients') }
  if (code === 'limit_near' && /participants|channels|rooms|history|fanout/.test(subject))
    return { text: 'Open channels', href: linkTo('channels') }
  const [text, view, of] = known?.link ?? ['Show status', 'commands', 'status']
  return { text, href: linkTo(view, of) }
}

/** The verdict in one sentence, and what goes with it. */
export function verdictOf(
  status: Status,
  things: readonly ToLookAt[],
): { readonly level: 'good' | 'warn' | 'bad'; readonly text: string; readonly note: string } {
  const numbers = ['Nothing', 'One thing', 'Two things', 'Three things', 'Four things', 'Five things']
  const { server, storage } = status
  const looks = things.length === 0 ? '' : ` ${numbers[things.length]} to look at.`
  const note = `Version ${server.version}, up for ${duration(server.uptime_seconds)}. The log is ${storage.driver === 'memory' ? 'in memory: it ends with the process' : `in ${storage.driver}`}.`
  if (server.status === 'draining') return { level: 'warn', text: `The bus is shutting down.${looks}`, note }
  if (things.some(({ code }) => code === 'storage_away'))
    return { level: 'bad', text: `The bus works without its log.${looks}`, note }
  if (server.status === 'degraded') return { level: 'warn', text: `The bus works, with restrictions.${looks}`, note }
  return {
    level: things.some(({ level }) => level === 'bad') ? 'warn' : 'good',
    text: `The bus works.${looks}`,
    note: things.length === 0 ? `${note} Nothing needs you.` : note,
  }
}
