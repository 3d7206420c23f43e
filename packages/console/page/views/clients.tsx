import type { ListedClient } from '@arqonbus/protocol'
import { useSignal } from '@preact/signals'
import { useEffect, useState } from 'preact/hooks'
import { bytes, clockTime, count, short } from '../kit/text.ts'
import { Composer } from '../parts/composer.tsx'
import { RefusalText } from '../parts/refusal.tsx'
import { type Row, VirtualList } from '../parts/virtual-list.tsx'
import { goTo, linkTo, place } from '../route.ts'
import { clients, clientsRefused, isCut, rateOf, refreshClients } from '../state/clients.ts'
import { type Refusal, run } from '../state/run.ts'
import { Fact } from './overview.tsx'

/** How often the list is loaded: less often if it is long. */
const FEW = 500
const EVERY_MS = 2000
const SELDOM_MS = 10_000

/** The connected clients, and beside them the selected one. */
export function Clients() {
  const filter = useSignal('')
  const chosenId = place.value.of
  const isMany = clients.value.length > FEW

  useEffect(() => {
    void refreshClients()
    const timer = setInterval(() => void refreshClients(), isMany ? SELDOM_MS : EVERY_MS)
    return () => clearInterval(timer)
  }, [isMany])

  const wanted = filter.value.trim().toLowerCase()
  const shown = clients.value.filter(
    ({ client_id: id, client_type: type, screen_name: name = '' }) =>
      wanted === '' || `${id} ${type} ${name}`.toLowerCase().includes(wanted),
  )
  const chosen = clients.value.find(({ client_id: id }) => id === chosenId)

  return (
    <div class={`view split ${chosenId === undefined ? '' : 'has-choice'}`}>
      <section class="panel side wide" aria-label="Connected clients">
        <div class="bar">
          <h1>Clients</h1>
          <span class="muted">
            {isCut.value ? 'the first ' : ''}
            {count(clients.value.length)}
          </span>
          <input
            type="search"
            class="grow"
            aria-label="Filter clients"
            placeholder="Filter by id, name or type"
            value={filter.value}
            onInput={(event) => {
              filter.value = event.currentTarget.value
            }}
          />
        </div>
        {clientsRefused.value !== undefined && <RefusalText refusal={clientsRefused.value} />}
        <VirtualList
          items={shown}
          keyOf={(client) => client.client_id}
          row={rowOf}
          label="Connected clients"
          selected={chosenId}
          onOpen={(client) => goTo('clients', client.client_id)}
          onSelect={(client) => goTo('clients', client.client_id)}
          empty="No clients."
        />
      </section>
      <section class="panel main-pane" aria-label={chosenId ?? 'No client selected'}>
        {chosenId === undefined ? (
          <p class="empty">Choose a client to see its profile and subscriptions.</p>
        ) : (
          <div class="scroll">
            <a class="back" href={linkTo('clients')}>
              ← All clients
            </a>
            {chosen === undefined ? (
              <p class="empty">{chosenId} is not connected.</p>
            ) : (
              <ClientPane key={chosenId} client={chosen} />
            )}
          </div>
        )}
      </section>
    </div>
  )
}

function rowOf({
  client_id: id,
  client_type: type,
  screen_name: name,
  subscriptions,
  queue_bytes: queue,
}: ListedClient): Row {
  const rate = rateOf(id)
  return {
    content: (
      <>
        <span class={`dot type-${type}`} aria-hidden="true" />
        <span class="name ellipsis">{id}</span>
        <span class="text ellipsis muted">{name ?? ''}</span>
        <span class="tag">{type}</span>
        {rate > 0 && (
          <span class="figure rate">
            {short(rate)}/s<span class="hidden"> frames a second</span>
          </span>
        )}
        {queue > 0 && (
          <span class="figure fault">
            {bytes(queue)}
            <span class="hidden"> unread</span>
          </span>
        )}
        <span class="figure" title="subscriptions">
          {count(subscriptions.length)}
          <span class="hidden"> {subscriptions.length === 1 ? 'subscription' : 'subscriptions'}</span>
        </span>
      </>
    ),
  }
}

function ClientPane({ client }: { client: ListedClient }) {
  const { client_id: id, subscriptions } = client
  const rate = rateOf(id)
  return (
    <>
      <div class="bar">
        <h2 class="ellipsis">{id}</h2>
        <span class="tag">{client.client_type}</span>
      </div>
      <dl class="facts">
        <Fact name="Name" value={client.screen_name} />
        <Fact name="Personality" value={client.personality} />
        <Fact name="Avatar" value={client.avatar} />
        <Fact name="State" value={client.state} />
        <Fact name="Connected" value={clockTime(client.connected_at)} />
        <Fact name="Last activity" value={clockTime(client.last_activity)} />
        <Fact name="Sends" value={rate > 0 ? `${short(rate)} frames a second` : 'nothing in the last seconds'} />
        <Fact name="Unread by it" value={bytes(client.queue_bytes)} />
        <Fact name="Delivery" value={client.behind ? 'catching up from the log' : 'live'} />
      </dl>
      <h3>Subscriptions</h3>
      {subscriptions.length === 0 ? (
        <p class="muted">none</p>
      ) : (
        <ul class="chips">
          {subscriptions.slice(0, 200).map((address) => (
            <li key={address}>
              <a href={linkTo('channels', address)}>{address}</a>
            </li>
          ))}
          {subscriptions.length > 200 && <li class="muted">and {count(subscriptions.length - 200)} more</li>}
        </ul>
      )}
      <Composer target={{ kind: 'private', to: id }} />
      <Disconnect id={id} />
    </>
  )
}

/** Ends a client's connection after the user has confirmed it. For admins. */
function Disconnect({ id }: { id: string }) {
  const [isAsking, setIsAsking] = useState(false)
  const [reason, setReason] = useState('')
  const [outcome, setOutcome] = useState<string | Refusal | undefined>(undefined)

  async function disconnect(event: Event): Promise<void> {
    event.preventDefault()
    const done = await run('disconnect_client', { client_id: id, ...(reason !== '' && { reason }) }, true)
    setOutcome(done.ok ? 'Disconnected.' : done.error)
    if (done.ok) setIsAsking(false)
    await refreshClients()
  }

  return (
    <div class="danger-zone">
      {isAsking ? (
        <form class="form" onSubmit={(event) => void disconnect(event)} aria-label={`Disconnect ${id}`}>
          <label>
            <span>Reason, sent to the client</span>
            <input maxLength={100} value={reason} onInput={(event) => setReason(event.currentTarget.value)} />
          </label>
          <div class="actions">
            <button type="submit" class="danger">
              Disconnect {id}
            </button>
            <button type="button" onClick={() => setIsAsking(false)}>
              Cancel
            </button>
          </div>
        </form>
      ) : (
        <button type="button" onClick={() => setIsAsking(true)}>
          Disconnect …
        </button>
      )}
      {typeof outcome === 'string' && <p role="status">{outcome}</p>}
      {typeof outcome === 'object' && <RefusalText refusal={outcome} />}
    </div>
  )
}
