import { useState } from 'preact/hooks'
import { count } from '../kit/text.ts'
import { client, welcome } from '../state/bus.ts'
import { draftOf } from '../state/draft.ts'
import { draftFor, edit } from '../state/drafts.ts'
import { discard, mostWaiting, outboxFor, type Sending, send, sendAgain, waitingToAll } from '../state/outbox.ts'
import { wire } from '../wire.ts'
import { RefusalText } from './refusal.tsx'

/** The target of a message: a channel, a whole room, a client by its id, or clients that are yet to be named. */
export type Target =
  | { readonly kind: 'channel'; readonly address: string }
  | { readonly kind: 'private'; readonly to: string }

/** The name under which drafts and messages on their way are stored. */
const nameOf = (target: Target): string => (target.kind === 'channel' ? target.address : `private ${target.to}`)

/**
 * Edits a message, checks it as the bus would, and sends it. What is sent leaves the input at once and is shown as
 * pending, so that what is typed meanwhile is the next message.
 */
export function Composer({ target }: { target: Target }) {
  const name = nameOf(target)
  const { payload, metadata, ack, to: typedTo } = draftFor(name).value
  const to = target.kind === 'private' && target.to !== '' ? target.to : typedTo
  const outbox = outboxFor(name).value
  const [isMore, setIsMore] = useState(metadata !== '')
  const draft = draftOf({
    target: target.kind === 'private' ? { kind: 'private', to } : target,
    payload,
    metadata,
    from: welcome.value?.client.client_id ?? 'console',
    limits: welcome.value?.limits,
  })
  const isEmpty = payload.trim() === ''
  const isFullForOne = outbox.sending.length >= mostWaiting.toOne
  const isFull = isFullForOne || waitingToAll.value >= mostWaiting.toAll
  const canSend = !isEmpty && draft.fault === undefined && client.value !== undefined && !isFull

  function submit(event: Event): void {
    event.preventDefault()
    if (!canSend) return
    send(name, {
      kind: target.kind,
      address: target.kind === 'channel' ? target.address : '',
      to: draft.to,
      payload: draft.envelope.payload,
      metadata: draft.envelope.metadata,
      ack,
      text: payload,
    })
    edit(name, { payload: '' })
  }

  return (
    <form class={`composer ${isMore ? 'is-more' : ''}`} onSubmit={submit} aria-label="Publish a message">
      <OnTheirWay name={name} sending={outbox.sending} />
      {target.kind === 'private' && target.to === '' && (
        <label class="inline">
          <span>To</span>
          <input
            value={to}
            onInput={(event) => edit(name, { to: event.currentTarget.value })}
            placeholder="client ids, separated by commas"
          />
        </label>
      )}
      <textarea
        rows={2}
        aria-label={target.kind === 'private' ? 'Private message' : `Message to ${target.address}`}
        value={payload}
        placeholder={target.kind === 'private' ? 'Write' : `Write to ${target.address}`}
        aria-invalid={!isEmpty && draft.fault !== undefined}
        aria-describedby="draft-state"
        onInput={(event) => edit(name, { payload: event.currentTarget.value })}
        onKeyDown={(event) => {
          if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) submit(event)
        }}
      />
      {isMore && (
        <label class="inline">
          <span>Metadata</span>
          <textarea
            rows={2}
            value={metadata}
            placeholder='{ "key": "state" }'
            onInput={(event) => edit(name, { metadata: event.currentTarget.value })}
          />
        </label>
      )}
      <div class="line wrap">
        <label class="line small confirm">
          <span>Confirm</span>
          <select value={ack} onChange={(event) => edit(name, { ack: event.currentTarget.value })}>
            <option value="true">when accepted</option>
            {wire.durabilityLevels.map((level) => (
              <option key={level} value={level}>
                {level}
              </option>
            ))}
            <option value="none">never</option>
          </select>
        </label>
        <button type="button" class="quiet" aria-expanded={isMore} onClick={() => setIsMore(!isMore)}>
          {isMore ? 'Less' : 'More'}
        </button>
        <span id="draft-state" class={draft.fault === undefined || isEmpty ? 'small grow' : 'fault grow'}>
          {isEmpty
            ? outbox.last === ''
              ? 'Ctrl+Enter sends'
              : ''
            : isFull
              ? `${isFullForOne ? mostWaiting.toOne : waitingToAll.value} messages are on their way: wait for them.`
              : (draft.fault ?? `${count(draft.bytes)} bytes${draft.isText ? ', as { "text": … }' : ''}`)}
          {isEmpty && outbox.last !== '' && (
            <span role="status" class="good">
              {outbox.last}
            </span>
          )}
        </span>
        <button type="submit" class="primary" disabled={!canSend}>
          {target.kind === 'private' ? 'Send' : 'Publish'}
        </button>
      </div>
    </form>
  )
}

/** Messages without an outcome yet, and those that were refused. */
function OnTheirWay({ name, sending }: { name: string; sending: readonly Sending[] }) {
  if (sending.length === 0) return null
  const back = (one: Sending) => {
    const draft = draftFor(name).peek()
    edit(name, { payload: draft.payload === '' ? one.text : `${one.text}\n${draft.payload}` })
    discard(name, one.id)
  }
  return (
    <ul class="sending" aria-label="Messages on their way" aria-live="polite">
      {sending.map((one) => (
        <li key={one.id}>
          <p>
            <span class={`tag ${one.state.name === 'pending' ? 'on' : one.state.name === 'refused' ? 'bad' : 'warn'}`}>
              {stateTexts[one.state.name]}
            </span>{' '}
            {one.text.slice(0, 300)}
          </p>
          {one.state.name === 'refused' && <RefusalText refusal={one.state.refusal} />}
          {one.state.name === 'unknown' && (
            <p class="small">
              {Date.now() - one.sentAt < (welcome.value?.limits.dedup_window_ms ?? 0)
                ? 'No confirmation came. It is sent again under the same id, and arrives once.'
                : 'No confirmation came, and the bus may have forgotten its id: look whether it is above.'}
            </p>
          )}
          {one.state.name === 'reloaded' && (
            <p class="small">The page was loaded again before it was confirmed: look whether it is above.</p>
          )}
          {one.state.name !== 'pending' && (
            <div class="line wrap">
              {one.state.name !== 'reloaded' && (
                <button type="button" onClick={() => sendAgain(name, one)}>
                  Try again
                </button>
              )}
              <button type="button" onClick={() => back(one)}>
                Edit
              </button>
              <button type="button" class="quiet" onClick={() => discard(name, one.id)}>
                Discard
              </button>
            </div>
          )}
        </li>
      ))}
    </ul>
  )
}

const stateTexts: Readonly<Record<Sending['state']['name'], string>> = {
  pending: 'Sending …',
  unknown: 'Not confirmed',
  reloaded: 'Not confirmed',
  refused: 'Refused',
}
