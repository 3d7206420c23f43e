import type { ListedClient } from '@arqonbus/protocol'
import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { now } from '../kit/now.ts'
import { bytes, count, short, since } from '../kit/text.ts'
import { Avatar } from '../parts/avatar.tsx'
import { Meter } from '../parts/meter.tsx'
import { RefusalText } from '../parts/refusal.tsx'
import { SearchField } from '../parts/search-field.tsx'
import { type Row, VirtualList } from '../parts/virtual-list.tsx'
import { goTo, place } from '../route.ts'
import { typeNames } from '../state/client-types.ts'
import { areClientsKnown, clients, clientsRefused, isCut, refreshClients } from '../state/clients.ts'
import { status } from '../state/status.ts'
import { wire } from '../wire.ts'
import { ClientPane } from './client.tsx'

/** How often the list is loaded: less often if it is long. */
const FEW = 500
const EVERY_MS = 2000
const SELDOM_MS = 10_000
/** The unread bytes at which the bar is full: the default of `ARQONBUS_SEND_BUFFER_HARD_LIMIT`. */
const FULL_BYTES = 1024 * 1024

/** Loads the list of clients now and then, for as long as a view is open. */
export function useClients(): void {
  const isMany = clients.value.length > FEW
  useEffect(() => {
    void refreshClients()
    const timer = setInterval(() => void refreshClients(), isMany ? SELDOM_MS : EVERY_MS)
    return () => clearInterval(timer)
  }, [isMany])
}

const columns = {
  client: { head: 'Client', compare: (a: ListedClient, b: ListedClient) => (a.client_id < b.client_id ? -1 : 1) },
  unread: { head: 'Unread', compare: (a: ListedClient, b: ListedClient) => b.queue_bytes - a.queue_bytes },
  sends: {
    head: 'Sends',
    compare: (a: ListedClient, b: ListedClient) => b.messages_per_second - a.messages_per_second,
  },
  subscriptions: {
    head: 'Subscriptions',
    compare: (a: ListedClient, b: ListedClient) => b.subscriptions.length - a.subscriptions.length,
  },
  since: { head: 'Since', compare: (a: ListedClient, b: ListedClient) => (a.connected_at < b.connected_at ? -1 : 1) },
} as const

type Column = keyof typeof columns

/** The connected clients, and beside them the selected one. */
export function Clients() {
  useClients()
  const filter = useSignal('')
  const type = useSignal('')
  const column = useSignal<Column>('unread')
  const chosenId = place.value.of
  const wanted = filter.value.trim().toLowerCase()
  const withAddress = clients.value.some(({ address }) => address !== undefined)
  const shown = clients.value
    .filter((one) => (type.value === '' || one.client_type === type.value) && (wanted === '' || matches(one, wanted)))
    .sort(columns[column.value].compare)
  const chosen = clients.value.find(({ client_id: id }) => id === chosenId)

  return (
    <div class={`panes clients ${chosenId === undefined ? '' : 'has-choice'}`}>
      <section class="panel table-pane fill-list" aria-label="Connected clients">
        <header>
          <h1>Clients</h1>
          <span class="small">{summary()}</span>
        </header>
        <div class="find">
          <SearchField label="Filter clients" placeholder="Id, name, address or channel" text={filter} />
          <select
            aria-label="Type of client"
            value={type.value}
            onChange={(event) => {
              type.value = event.currentTarget.value
            }}
          >
            <option value="">All types</option>
            {wire.clientTypes.map((one) => (
              <option key={one} value={one}>
                {typeNames[one]}
              </option>
            ))}
          </select>
        </div>
        {clientsRefused.value !== undefined && <RefusalText refusal={clientsRefused.value} />}
        <fieldset class={`heads ${withAddress ? 'with-address' : ''}`} aria-label="Order by">
          {Object.entries(columns).map(([name, { head }]) => (
            <button
              key={name}
              type="button"
              aria-pressed={column.value === name}
              onClick={() => {
                column.value = name as Column
              }}
            >
              {head}
              {column.value === name && <span aria-hidden="true"> ↓</span>}
            </button>
          ))}
          {withAddress && <span>Address</span>}
        </fieldset>
        <VirtualList
          class={`client-rows ${withAddress ? 'with-address' : ''}`}
          items={shown}
          keyOf={(client) => client.client_id}
          row={rowOf}
          label="Connected clients"
          rowHeight={43}
          selected={chosenId}
          onOpen={(client) => goTo('clients', client.client_id)}
          onSelect={(client) => goTo('clients', client.client_id)}
          empty={
            areClientsKnown.value
              ? clients.value.length > 0
                ? 'No client matches.'
                : 'Clients appear here as soon as they connect.'
              : 'Asking …'
          }
        />
      </section>
      {chosenId !== undefined && <ClientPane key={chosenId} id={chosenId} client={chosen} />}
    </div>
  )
}

const matches = (
  { client_id: id, client_type: type, screen_name: name = '', address = '', subscriptions }: ListedClient,
  wanted: string,
): boolean =>
  `${id} ${type} ${typeNames[type]} ${name} ${address}`.toLowerCase().includes(wanted) ||
  subscriptions.some((one) => one.toLowerCase().includes(wanted))

/** How many clients there are, as everywhere on the page; and how many of them are listed. */
function summary(): string {
  const totals = status.value?.totals
  if (totals === undefined) return 'asking …'
  const listed = clients.value.length
  const { streams } = totals
  const ways = streams > 0 ? `: ${count(totals.clients - streams)} by WebSocket, ${count(streams)} by stream` : ''
  const all = `${count(totals.clients)} connected${ways}`
  if (!areClientsKnown.value || listed === totals.clients) return all
  return isCut.value || listed < totals.clients ? `${all}, ${count(listed)} of them listed` : all
}

function rowOf(client: ListedClient): Row {
  const { client_id: id, client_type: type, screen_name: name, subscriptions, queue_bytes: queue } = client
  const { messages_per_second: rate } = client
  return {
    content: (
      <>
        <span class="cell-name">
          <Avatar name={name ?? id} type={type} />
          <span class="grow">
            <b class="name">{id}</b> <span class="small">{name ?? ''}</span>
          </span>
          <span class="tag">{typeNames[type]}</span>
          {client.behind && <span class="tag warn">catching up</span>}
        </span>
        <span class="n cell-unread">
          <span class="cell-head">Unread </span>
          {queue > 0 ? (
            <>
              {bytes(queue)}
              <span class="hidden"> unread</span>
              <Meter share={queue / FULL_BYTES} />
            </>
          ) : (
            <span class="muted">0</span>
          )}
        </span>
        <span class="n">
          <span class="cell-head">Sends </span>
          {rate > 0 ? (
            <>
              {short(rate)}/s<span class="hidden"> messages a second</span>
            </>
          ) : (
            <span class="muted">–</span>
          )}
        </span>
        <span class="n">
          <span class="cell-head">Subscriptions </span>
          {count(subscriptions.length)}
          <span class="hidden"> {subscriptions.length === 1 ? 'subscription' : 'subscriptions'}</span>
        </span>
        <span class="n muted">
          <span class="cell-head">Since </span>
          {since(client.connected_at, now.peek())}
        </span>
        {client.address !== undefined && (
          <span class="mono muted">
            <span class="cell-head">From </span>
            {client.address}
          </span>
        )}
      </>
    ),
  }
}
