import type { ListedClient } from '@arqonbus/protocol'
import { readingOf } from '../json/reading.ts'
import { count, timeOfDay } from '../kit/text.ts'
import { welcome } from '../state/bus.ts'
import { typeNames } from '../state/client-types.ts'
import type { Line } from '../state/lines.ts'
import { Avatar } from './avatar.tsx'
import type { Row } from './virtual-list.tsx'

/** What a row needs to know of the rows around it. */
export type Reader = {
  /** Whether a row begins a new group: another sender, or a while later. */
  isFirst(line: Line): boolean
  /** The day, if the row is the first of it: the date is then shown above the row. */
  dayOf(line: Line): string | undefined
  /** The sender of a message that is among the rows. */
  senderOf(id: string): string | undefined
  /** What is known of a client. */
  clientOf(id: string): ListedClient | undefined
}

/** Messages of one sender within this time are one group. */
const GROUP_MS = 5 * 60_000

/** Looks through the rows once. */
export function readerOf(lines: readonly Line[], people: readonly ListedClient[] | undefined): Reader {
  const firsts = new Set<number>()
  const days = new Map<number, string>()
  const senders = new Map<string, string>()
  let before: Line | undefined
  // Dates are written once a day only: there may be thousands of rows.
  let [day, dayEnd] = [0, 0]
  for (const line of lines) {
    const { message, from, at } = line
    if (message !== undefined) senders.set(message.id, from)
    if (before?.from !== from || at - before.at > GROUP_MS || before.message === undefined) firsts.add(line.id)
    if (at < day || at >= dayEnd) {
      day = new Date(at).setHours(0, 0, 0, 0)
      dayEnd = new Date(at).setHours(24, 0, 0, 0)
      firsts.add(line.id)
      days.set(line.id, new Date(at).toDateString())
    }
    before = line
  }
  const clients = new Map(people?.map((one) => [one.client_id, one]))
  return {
    isFirst: ({ id }) => firsts.has(id),
    dayOf: ({ id }) => days.get(id),
    senderOf: (id) => senders.get(id),
    clientOf: (id) => clients.get(id),
  }
}

/** A message as a line of a conversation. */
export function messageRow(line: Line, read: Reader, withChannel: boolean): Row {
  const { message, from } = line
  if (message === undefined) return { class: 'notice', content: <span>{line.text()}</span> }
  const day = read.dayOf(line)
  const isFirst = read.isFirst(line)
  const known = read.clientOf(from)
  const isOwn = from === welcome.peek()?.client.client_id
  const cause = message.metadata?.cause
  const answers = typeof cause === 'string' ? read.senderOf(cause) : undefined
  return {
    class: `msg ${isFirst ? '' : 'more'} ${isOwn ? 'own' : ''}`,
    content: (
      <>
        {day !== undefined && <span class="day">{dayText(day)}</span>}
        {isFirst && <Avatar name={known?.screen_name ?? from} type={known?.client_type} />}
        <span class={isFirst ? 'who' : 'hidden'}>
          <span class="from">{from}</span>
          {isOwn && <span class="tag">this page</span>}
          {!isOwn && known !== undefined && known.client_type !== 'human' && (
            <span class="tag">{typeNames[known.client_type]}</span>
          )}
          <time title={message.timestamp}>{timeOfDay(line.at)}</time>
          {answers !== undefined && <span class="small">answers {answers}</span>}
        </span>
        <Words line={line} />
        {(withChannel || message.metadata?.provisional === true) && (
          <span class="line">
            {withChannel && <span class="tag">{message.channel}</span>}
            {message.metadata?.provisional === true && <span class="tag warn">provisional</span>}
          </span>
        )}
      </>
    ),
  }
}

function Words({ line }: { line: Line }) {
  const { text, cut, fields, more } = readingOf(line.message?.payload ?? {})
  if (text === undefined) return <code class="text">{line.text()}</code>
  return (
    <>
      <span class="text">
        {text}
        {cut > 0 && <span class="small"> … and {count(cut)} more characters</span>}
      </span>
      {fields.length > 0 && (
        <span class="kv">
          {fields.map(({ name, value }) => (
            <span key={name}>
              <i class="key">{name}</i> {value}
            </span>
          ))}
          {more > 0 && <span class="small">and {count(more)} more</span>}
        </span>
      )}
    </>
  )
}

function dayText(day: string): string {
  const date = new Date(day)
  const text = date.toLocaleDateString('en-GB', { weekday: 'long', day: 'numeric', month: 'long' })
  return day === new Date().toDateString() ? `Today, ${text}` : text
}
