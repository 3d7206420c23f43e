/** Events of the bus as plain sentences, one template for each type. */

import type { ClientType } from '@arqonbus/protocol'
import { BUS } from '@arqonbus/protocol/names'
import { preview } from '../json/preview.ts'
import { count, counted, duration } from '../kit/text.ts'
import { typeNames } from './client-types.ts'
import type { TelemetryItem } from './telemetry.ts'

/** The fields of an event as text; absent ones are empty. */
type Fields = {
  readonly who: string
  readonly where: string
  readonly times: string
  readonly of: (name: string) => string
  readonly number: (name: string) => number
}

const templates: Readonly<Record<string, (fields: Fields) => string>> = {
  client_connected: ({ who, of }) =>
    `${who}, ${typeNames[of('client_type') as ClientType] ?? of('client_type')}${from(of('address'))}${of('resumed') === 'true' ? ', session resumed' : ', a new session'}`,
  client_disconnected: ({ who, of, number }) => {
    const code = of('code')
    const end = code === '' ? '' : `: close code ${code}${of('reason') === '' ? '' : `, ${of('reason')}`}`
    return `${who}${from(of('address'))} after ${duration(number('connected_ms') / 1000)}${end}`
  },
  channel_created: ({ who, where, of }) =>
    `${who === '' ? 'The bus' : who} created ${where || 'a private channel'}${of('auto_created') === 'true' ? ' by its first use' : ''}`,
  channel_deleted: ({ where }) => `${where || 'A private channel'} was deleted`,
  channel_joined: ({ who, where }) => `${who} joined ${where || 'a private channel'}`,
  channel_left: ({ who, where }) => `${who} left ${where || 'a private channel'}`,
  message_routed: ({ who, where, number }) =>
    `${who === '' ? 'Several clients' : who} published ${number('count') > 1 ? `${count(number('count'))} messages ` : ''}to ${where || 'a private channel'}`,
  message_rejected: ({ who, where, of }) => `${who} was refused${where === '' ? '' : ` in ${where}`}: ${of('code')}`,
  rate_limited: ({ who, where, of, times }) =>
    `${who} ${of('command') === '' ? `publishes too fast${where === '' ? '' : ` to ${where}`}` : `runs ${of('command')} too often`}${times}`,
  slow_consumer: ({ who, of }) =>
    of('state') === 'closed'
      ? `${who} was disconnected: what it had not read is no longer in the log`
      : `${who} reads more slowly than messages arrive, and catches up from the log`,
  storage_degraded: ({ of }) =>
    `The log is unreachable: ${of('reason')}. Messages are ${of('mode') === 'strict' ? 'refused' : 'delivered provisionally'} meanwhile`,
  storage_recovered: () => 'The log is reachable again',
  agent_activity: ({ who, where, of, times }) =>
    `${of('screen_name') || who}: ${of('activity')}${where === '' ? '' : ` in ${where}`}${times}`,
  telemetry_summary: ({ of, number }) =>
    `${counted(number('count'), `more ${of('event_type')} was`, `more ${of('event_type')} were`)} counted, not listed`,
}

const from = (address: string): string => (address === '' ? '' : ` from ${address}`)

/** An event as a sentence. An event of a client is shown as it is, because any client may send it. */
export function sentenceOf({ type, from: sender, body }: TelemetryItem): string {
  const template = sender === BUS && Object.hasOwn(templates, type) ? templates[type] : undefined
  if (template === undefined) return `${sender === BUS ? '' : `${sender}: `}${preview(body, 300)}`
  const of = (name: string): string => {
    const value = body[name]
    return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : ''
  }
  const number = (name: string): number => Number(of(name)) || 0
  const [room, channel] = [of('room'), of('channel')]
  return template({
    who: of('client_id'),
    where: room === '' ? '' : channel === '' ? room : `${room}:${channel}`,
    times: number('count') > 1 ? `, ${count(number('count'))} times` : '',
    of,
    number,
  })
}

const tones: Readonly<Record<string, string>> = {
  message_routed: 'accent',
  message_rejected: 'bad',
  rate_limited: 'bad',
  slow_consumer: 'warn',
  client_connected: 'service',
  client_disconnected: 'service',
  agent_activity: 'ai-agent',
  storage_degraded: 'bad',
  storage_recovered: 'good',
  telemetry_summary: 'muted',
}

/** The colour of a type; the type itself is written beside it. */
export const toneOf = (type: string): string => (Object.hasOwn(tones, type) ? (tones[type] ?? 'text') : 'text')
