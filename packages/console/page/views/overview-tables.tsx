import type { ComponentChildren } from 'preact'
import { now } from '../kit/now.ts'
import { bytes, count, duration, perSecond } from '../kit/text.ts'
import { Avatar } from '../parts/avatar.tsx'
import { Meter } from '../parts/meter.tsx'
import { linkTo } from '../route.ts'
import { limitName } from '../state/attention.ts'
import { isCurrent } from '../state/bus.ts'
import { typeNames } from '../state/client-types.ts'
import { limits, refusals, type Status, status } from '../state/status.ts'
import { busyChannels, busyClients, slowClients } from '../state/top.ts'
import { wire } from '../wire.ts'

/** The text of a table whose values are not loaded yet. */
const unknown = (): string => (isCurrent.value ? 'Asking …' : 'Not known.')

type TableProps = {
  readonly title: string
  readonly note?: string | undefined
  readonly empty: string | undefined
  readonly heads: readonly string[]
  readonly children: ComponentChildren
}

/** A small table; without rows a sentence instead. */
function Table({ title, note, empty, heads, children }: TableProps) {
  return (
    <section class="panel" aria-label={title}>
      <header>
        <h2>{title}</h2>
        {note !== undefined && <span class="small">{note}</span>}
      </header>
      {empty !== undefined ? (
        <p class="pad muted">{empty}</p>
      ) : (
        <table>
          <thead>
            <tr>
              {heads.map((head, index) => (
                <th key={head} class={index === 0 ? '' : 'n'}>
                  {head === '' ? <span class="hidden">Share</span> : head}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>{children}</tbody>
        </table>
      )}
    </section>
  )
}

/** A name with a bar behind it, as long as its share of the largest value. */
function Bar({ share, tone = '', children }: { share: number; tone?: string; children: ComponentChildren }) {
  return (
    <span class={`bar ${tone}`} style={{ '--w': `${Math.max(2, share * 100)}%` }}>
      {children}
    </span>
  )
}

/** Refused frames by code. */
export function Refusals() {
  const all = refusals.value
  const total = all.reduce((sum, { count: of }) => sum + of, 0)
  return (
    <Table
      title="Refusals by code"
      note={status.value && `${count(total)} in 15 min`}
      empty={total > 0 ? undefined : status.value === undefined ? unknown() : 'No frame was refused.'}
      heads={['Code', 'Count', 'Mostly from']}
    >
      {all.slice(0, 6).map(({ code, count: of, client_id: from }) => (
        <tr key={code}>
          <td title={(wire.errorTexts as Record<string, string>)[code]}>
            <Bar share={of / (all[0]?.count ?? 1)} tone="bad">
              <code>{code}</code>
            </Bar>
          </td>
          <td class="n">{count(of)}</td>
          <td class="n">{from !== undefined && <a href={linkTo('clients', from)}>{from}</a>}</td>
        </tr>
      ))}
    </Table>
  )
}

/** The clients that read too slowly. */
export function SlowConsumers({ known }: { known: Status | undefined }) {
  const slow = slowClients.value
  return (
    <Table
      title="Slow consumers"
      note={slow && known && `${count(slow.length)} of ${count(known.totals.clients)}`}
      empty={slow === undefined ? unknown() : slow.length === 0 ? 'Every client keeps up.' : undefined}
      heads={['Client', 'Unread', 'For']}
    >
      {slow?.map((one) => (
        <tr key={one.client_id}>
          <td>
            <span class="line">
              <Avatar small name={one.screen_name ?? one.client_id} type={one.client_type} />
              <a href={linkTo('clients', one.client_id)}>{one.client_id}</a>
              <span class={`tag ${one.behind ? 'warn' : ''}`}>{one.behind ? 'catching up' : 'slow'}</span>
            </span>
          </td>
          <td class="n">{bytes(one.queue_bytes)}</td>
          <td class="n muted">
            {one.behind_since === undefined ? '–' : duration((now.value - Date.parse(one.behind_since)) / 1000)}
          </td>
        </tr>
      ))}
    </Table>
  )
}

/** The fullest limits. */
export function Limits() {
  const all = limits.value
  const write = (limit: string, value: number) => (/bytes|memory/.test(limit) ? bytes(value) : count(value))
  return (
    <Table
      title="Limits in use"
      note={all.length === 0 ? undefined : `the fullest of ${count(all.length)}`}
      empty={all.length === 0 ? unknown() : undefined}
      heads={['Limit', '', 'In use']}
    >
      {all.slice(0, 6).map(({ limit, used, most }) => (
        <tr key={limit}>
          <td>{limitName(limit)}</td>
          <td class="meter-cell">
            <Meter share={used / most} />
          </td>
          <td class="n">
            {write(limit, used)} <span class="muted">of {write(limit, most)}</span>
          </td>
        </tr>
      ))}
    </Table>
  )
}

/** The channels with the most messages. */
export function BusyChannels() {
  const busy = busyChannels.value
  return (
    <Table
      title="Busiest channels"
      note="last seconds"
      empty={busy === undefined ? unknown() : busy.length === 0 ? 'No channel has messages now.' : undefined}
      heads={['Channel', 'In']}
    >
      {busy?.map(({ address, rate }) => (
        <tr key={address}>
          <td>
            <Bar share={rate / (busy[0]?.rate ?? 1)}>
              <a href={linkTo('channels', address)}>{address}</a>
            </Bar>
          </td>
          <td class="n">{perSecond(rate)}</td>
        </tr>
      ))}
    </Table>
  )
}

/** The clients that send most. */
export function BusyClients() {
  const busy = busyClients.value
  return (
    <Table
      title="Busiest clients"
      note="last seconds"
      empty={busy === undefined ? unknown() : busy.length === 0 ? 'No client sends now.' : undefined}
      heads={['Client', 'Type', 'Sends']}
    >
      {busy?.map((one) => (
        <tr key={one.client_id}>
          <td>
            <Bar share={one.messages_per_second / (busy[0]?.messages_per_second ?? 1)}>
              <a href={linkTo('clients', one.client_id)}>{one.client_id}</a>
            </Bar>
          </td>
          <td class="n muted">{typeNames[one.client_type]}</td>
          <td class="n">{perSecond(one.messages_per_second)}</td>
        </tr>
      ))}
    </Table>
  )
}
