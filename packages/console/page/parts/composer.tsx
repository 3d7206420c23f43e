import { useState } from 'preact/hooks'
import { count, counted } from '../kit/text.ts'
import { client, welcome } from '../state/bus.ts'
import { draftOf } from '../state/draft.ts'
import { type Refusal, refusalOf } from '../state/run.ts'
import { wire } from '../wire.ts'
import { RefusalText } from './refusal.tsx'

/** The target of a message: a channel, a whole room, or clients by their ids. */
export type Target =
  | { readonly kind: 'channel'; readonly address: string }
  | { readonly kind: 'private'; readonly to: string }

/** Edits a message, checks it as the bus would, and sends it. */
export function Composer({ target }: { target: Target }) {
  const [payload, setPayload] = useState('')
  const [metadata, setMetadata] = useState('')
  const [to, setTo] = useState(target.kind === 'private' ? target.to : '')
  const [ack, setAck] = useState('true')
  const [outcome, setOutcome] = useState<string | Refusal | undefined>(undefined)
  const [isMore, setIsMore] = useState(false)

  const draft = draftOf({
    target: target.kind === 'private' ? { kind: 'private', to } : target,
    payload,
    metadata,
    from: welcome.value?.client.client_id ?? 'console',
    limits: welcome.value?.limits,
  })
  const isEmpty = payload.trim() === ''
  const asked = ack === 'none' ? undefined : ack === 'true' ? true : (ack as 'memory')

  async function send(event: Event): Promise<void> {
    event.preventDefault()
    const bus = client.value
    if (draft.fault !== undefined || isEmpty || bus === undefined) return
    const { envelope } = draft
    const own = envelope.metadata
    try {
      const options = { ...(own && { metadata: own }), ...(asked !== undefined && { ack: asked }) } as { ack: true }
      const answer = await (target.kind === 'private'
        ? bus.private(draft.to, envelope.payload, options)
        : bus.publish(target.address, envelope.payload, options))
      setPayload('')
      setOutcome(typeof answer === 'string' ? 'Sent.' : acknowledged(answer))
    } catch (error) {
      setOutcome(refusalOf(error))
    }
  }

  return (
    <form class="composer" onSubmit={(event) => void send(event)} aria-label="Publish a message">
      {target.kind === 'private' && (
        <label>
          <span>To</span>
          <input
            value={to}
            onInput={(event) => setTo(event.currentTarget.value)}
            placeholder="client ids, separated by commas"
          />
        </label>
      )}
      <label class="grow">
        <span>{target.kind === 'private' ? 'Private message' : `Message to ${target.address}`}</span>
        <textarea
          rows={2}
          value={payload}
          placeholder={'{ "text": "hello" }  or plain text'}
          aria-invalid={!isEmpty && draft.fault !== undefined}
          aria-describedby="draft-state"
          onInput={(event) => setPayload(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) void send(event)
          }}
        />
      </label>
      {isMore && (
        <>
          <label class="grow">
            <span>Metadata</span>
            <textarea
              rows={2}
              value={metadata}
              placeholder='{ "key": "state" }'
              onInput={(event) => setMetadata(event.currentTarget.value)}
            />
          </label>
          <label>
            <span>Acknowledgement</span>
            <select value={ack} onChange={(event) => setAck(event.currentTarget.value)}>
              <option value="true">as good as there is</option>
              {wire.durabilityLevels.map((level) => (
                <option key={level} value={level}>
                  {level}
                </option>
              ))}
              <option value="none">none</option>
            </select>
          </label>
        </>
      )}
      <div class="actions">
        <button
          type="submit"
          class="primary"
          disabled={isEmpty || draft.fault !== undefined || client.value === undefined}
        >
          {target.kind === 'private' ? 'Send' : 'Publish'}
        </button>
        <button type="button" aria-expanded={isMore} onClick={() => setIsMore(!isMore)}>
          {isMore ? 'Less' : 'More'}
        </button>
        <span id="draft-state" class={draft.fault === undefined || isEmpty ? 'muted' : 'fault'}>
          {isEmpty
            ? 'Ctrl+Enter sends'
            : (draft.fault ?? `Valid envelope, ${count(draft.bytes)} bytes${draft.isText ? ', as { "text": … }' : ''}`)}
        </span>
      </div>
      {typeof outcome === 'string' && <p role="status">{outcome}</p>}
      {typeof outcome === 'object' && <RefusalText refusal={outcome} />}
    </form>
  )
}

function acknowledged({
  position,
  durability,
  recipients,
}: {
  position: string | null
  durability: string
  recipients?: number
}): string {
  const place = position === null ? 'without a position' : `at ${position}`
  const heard = recipients === undefined ? '' : `, ${counted(recipients, 'recipient')}`
  return `Accepted ${place} (${durability}${heard}).`
}
