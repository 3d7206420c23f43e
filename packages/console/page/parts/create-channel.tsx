import { parseAddress, WHOLE_ROOM } from '@arqonbus/protocol/names'
import { useState } from 'preact/hooks'
import { goTo } from '../route.ts'
import { refreshPlaces } from '../state/places.ts'
import { type Refusal, run } from '../state/run.ts'
import { FormDialog } from './form-dialog.tsx'
import { TextField } from './text-field.tsx'

/** Creates a channel, and opens it. */
export function CreateChannel({ onClose }: { onClose: () => void }) {
  const [address, setAddress] = useState('')
  const [type, setType] = useState('general')
  const [refused, setRefused] = useState<Refusal | undefined>(undefined)
  const parsed = parseAddress(address.trim())
  const isValid = parsed !== undefined && parsed.channel !== WHOLE_ROOM

  async function create(): Promise<void> {
    const done = await run('create_channel', { channel: address.trim(), type }, true)
    if (!done.ok) return setRefused(done.error)
    onClose()
    await refreshPlaces()
    goTo('channels', address.trim())
  }

  return (
    <FormDialog
      title="Create a channel"
      action="Create"
      canSubmit={isValid}
      onSubmit={create}
      onClose={onClose}
      refused={refused}
    >
      <TextField
        label="Address"
        placeholder="room:channel"
        hint="Room and channel, with a colon between them: letters, digits, “_”, “.” and “-”."
        value={address}
        isWrong={address !== '' && !isValid}
        onInput={setAddress}
      />
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
    </FormDialog>
  )
}
