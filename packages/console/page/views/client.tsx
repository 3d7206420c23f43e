import type { ListedClient } from '@arqonbus/protocol'
import { useState } from 'preact/hooks'
import { now } from '../kit/now.ts'
import { bytes, count, duration, fullTime, short } from '../kit/text.ts'
import { Avatar } from '../parts/avatar.tsx'
import { Composer } from '../parts/composer.tsx'
import { Fact } from '../parts/fact.tsx'
import { FormDialog } from '../parts/form-dialog.tsx'
import { Icon } from '../parts/icon.tsx'
import { AdminAction } from '../parts/locked.tsx'
import { TextField } from '../parts/text-field.tsx'
import { linkTo } from '../route.ts'
import { typeNames } from '../state/client-types.ts'
import { areClientsKnown, refreshClients } from '../state/clients.ts'
import { type Refusal, run } from '../state/run.ts'

/** The most subscriptions that are listed. */
const MOST = 200

/** One client: who it is, what it has subscribed to, and what can be done. */
export function ClientPane({ id, client }: { id: string; client: ListedClient | undefined }) {
  return (
    <aside class="stack" aria-label={`Client ${id}`}>
      <section class="panel">
        <header>
          <a class="back" href={linkTo('clients')}>
            <Icon name="back" />
            All clients
          </a>
          {client !== undefined && <Avatar name={client.screen_name ?? id} type={client.client_type} />}
          <h1>{id}</h1>
          {client?.behind === true && <span class="tag warn">catching up</span>}
        </header>
        <div class="pad">
          {client !== undefined ? (
            <About client={client} />
          ) : (
            <p class="muted">{areClientsKnown.value ? `${id} is not connected.` : 'Asking …'}</p>
          )}
        </div>
      </section>
      {client !== undefined && (
        <>
          <Subscriptions client={client} />
          <section class="panel" aria-label="Actions">
            <header>
              <h2>Actions</h2>
            </header>
            <Composer target={{ kind: 'private', to: id }} />
            <div class="pad">
              <Disconnect id={id} />
            </div>
          </section>
        </>
      )}
    </aside>
  )
}

function About({ client }: { client: ListedClient }) {
  const rate = client.messages_per_second
  return (
    <>
      {client.behind && (
        <p>
          It reads more slowly than messages arrive
          {client.behind_since !== undefined &&
            `, for ${duration((now.value - Date.parse(client.behind_since)) / 1000)}`}
          . <b>{bytes(client.queue_bytes)}</b> wait for it; it catches up from the log.
        </p>
      )}
      <dl class="facts">
        <Fact name="Type">{typeNames[client.client_type]}</Fact>
        <Fact name="Name">{client.screen_name}</Fact>
        <Fact name="Personality">{client.personality}</Fact>
        <Fact name="Avatar">{client.avatar}</Fact>
        <Fact name="State">{client.state}</Fact>
        <Fact name="Since">{fullTime(client.connected_at)}</Fact>
        <Fact name="Last frame">{fullTime(client.last_activity)}</Fact>
        <Fact name="Address">{client.address !== undefined && <code>{client.address}</code>}</Fact>
        <Fact name="Sends">{rate > 0 ? `${short(rate)} a second` : 'nothing in the last seconds'}</Fact>
        <Fact name="Frames">{count(client.frames_received)}</Fact>
        <Fact name="Unread by it">{bytes(client.queue_bytes)}</Fact>
        <Fact name="Delivery">{client.behind ? 'catching up from the log' : 'live'}</Fact>
      </dl>
    </>
  )
}

function Subscriptions({ client: { subscriptions } }: { client: ListedClient }) {
  return (
    <section class="panel" aria-label="Subscriptions">
      <header>
        <h2>Subscriptions</h2>
        <span class="small">{count(subscriptions.length)}</span>
      </header>
      <div class="pad">
        {subscriptions.length === 0 ? (
          <p class="muted">None.</p>
        ) : (
          <ul class="chips">
            {subscriptions.slice(0, MOST).map((address) => (
              <li key={address}>
                <a href={linkTo('channels', address)}>{address}</a>
              </li>
            ))}
            {subscriptions.length > MOST && <li class="muted">and {count(subscriptions.length - MOST)} more</li>}
          </ul>
        )}
      </div>
    </section>
  )
}

/** Ends a client's connection after the user has confirmed it. For admins. */
function Disconnect({ id }: { id: string }) {
  const [isAsking, setIsAsking] = useState(false)
  const [reason, setReason] = useState('')
  const [refused, setRefused] = useState<Refusal | undefined>(undefined)
  const [isDone, setIsDone] = useState(false)

  async function disconnect(): Promise<void> {
    const done = await run('disconnect_client', { client_id: id, ...(reason !== '' && { reason }) }, true)
    setRefused(done.ok ? undefined : done.error)
    setIsDone(done.ok)
    if (done.ok) setIsAsking(false)
    await refreshClients()
  }

  return (
    <>
      <AdminAction text="Disconnect …" class="danger" onClick={() => setIsAsking(true)} />
      <p class="small">Ends the connection with close code 4411, and its session.</p>
      {isAsking && (
        <FormDialog
          title={`Disconnect ${id}`}
          action={`Disconnect ${id}`}
          isDangerous
          onSubmit={disconnect}
          onClose={() => setIsAsking(false)}
          refused={refused}
        >
          <TextField label="Reason, sent to the client" maxLength={100} value={reason} onInput={setReason} />
        </FormDialog>
      )}
      {isDone && <p role="status">Disconnected.</p>}
    </>
  )
}
