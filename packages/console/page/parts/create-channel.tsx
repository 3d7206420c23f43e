import { parseAddress, WHOLE_ROOM } from '@arqonbus/protocol/names'
import { useState } from 'preact/hooks'
import { goTo } from '../route.ts'
import { refreshPlaces } from '../state/places.ts'
import { type Refusal, run } from '../state/run.ts'
import { Dialog } from './dialog.tsx'
import { RefusalText } from './refusal.tsx'

/** Creates a channel, and opens it. */
export function CreateChannel({ onClose }: { onClose: () => void }) {
  const [address, setAddress] = useState('')
  const [type, setType] = useState('general')
  const [refused, setRefused] = useState<Refusal | undefined>(undefined)
  const parsed = parseAddress(address.trim())
  const isValid = parsed !== undefined && parsed.channel !== WHOLE_ROOM

  async function create(event: Event): Promise<void> {
    event.preventDefault()
    if (!isValid) return
    const done = await run('create_channel', { channel: address.trim(), type }, true)
    if (!done.ok) return setRefused(done.error)
    onClose()
    await refreshPlaces()
    goTo('channels', address.trim())
  }

  return (
    <Dialog title="Create a channel" onClose={onClose}>
      <form class="form" onSubmit={(event) => void create(event)}>
        <div class="field">
          <label for="new-address">Address</label>
          <input
            id="new-address"
            placeholder="room:channel"
            autocomplete="off"
            spellcheck={false}
            value={address}
            aria-invalid={address !== '' && !isValid}
            aria-describedby="new-address-hint"
            onInput={(event) => setAddress(event.currentTarget.value)}
          />
          <small id="new-address-hint" class={address !== '' && !isValid ? 'fault' : 'muted'}>
            Room and channel, with a colon between them: letters, digits, “_”, “.” and “-”.
          </small>
        </div>
        <div class="field">
          <label for="new-type">Type</label>
          <select id="new-type" value={type} onChange={(event) => setType(event.currentTarget.value)}>
            <option value="general">general: everybody joins, reads and writes</option>
            <option value="private">private: its creator, its members and admins</option>
          </select>
        </div>
        <p class="small">
          Options and members can be set with the command <code>create_channel</code>.
        </p>
        <div class="actions">
          <button type="submit" class="primary" disabled={!isValid}>
            Create
          </button>
          <button type="button" onClick={onClose}>
            Cancel
          </button>
        </div>
      </form>
      {refused !== undefined && <RefusalText refusal={refused} />}
    </Dialog>
  )
}
