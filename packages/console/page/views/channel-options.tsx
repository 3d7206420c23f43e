import { useState } from 'preact/hooks'
import { bytes, count, counted, duration, fullTime } from '../kit/text.ts'
import { Fact } from '../parts/fact.tsx'
import { FormDialog } from '../parts/form-dialog.tsx'
import { JsonView } from '../parts/json-view.tsx'
import { AdminAction } from '../parts/locked.tsx'
import { TextField } from '../parts/text-field.tsx'
import { goTo, linkTo } from '../route.ts'
import { client, welcome } from '../state/bus.ts'
import { channelInfo } from '../state/channel-info.ts'
import { watch } from '../state/feeds.ts'
import { refreshPlaces } from '../state/places.ts'
import { type Refusal, run } from '../state/run.ts'

/** What a channel is, and its deletion. */
export function OptionsPane({ address }: { address: string }) {
  const [isDeleting, setIsDeleting] = useState(false)
  const info = channelInfo.value?.address === address ? channelInfo.value : undefined
  const channel = info?.channel
  const room = address.split(':')[0] ?? ''
  const options = channel?.options ?? {}
  const isOwn = channel?.created_by !== undefined && channel.created_by === welcome.value?.client.client_id
  return (
    <section class="panel options-pane" aria-label="Options">
      <header>
        <h2>Options</h2>
        <a class="small" href={linkTo('channels', room)}>
          Room {room}
        </a>
      </header>
      {channel === undefined ? (
        <p class="pad muted">{info?.refusal === undefined ? 'Asking …' : info.refusal.message}</p>
      ) : (
        <div class="pad">
          <dl class="facts">
            <Fact name="Type">{channel.type}</Fact>
            <Fact name="Created">
              {fullTime(channel.created_at)}
              {channel.created_by !== undefined && ` by ${channel.created_by}`}
              {channel.auto_created && ', by its first use'}
            </Fact>
            <Fact name="History">
              {options.history_size === undefined
                ? 'as the bus'
                : `at most ${counted(options.history_size, 'message')}`}
            </Fact>
            <Fact name="Kept for">
              {options.history_ttl_ms === undefined ? 'as the bus' : duration(options.history_ttl_ms / 1000)}
            </Fact>
            <Fact name="Durability">{options.durability ?? 'as the bus'}</Fact>
            <Fact name="Participants">
              {options.max_participants === undefined ? 'as the bus' : `at most ${count(options.max_participants)}`}
            </Fact>
            <Fact name="Largest message">{welcome.value && bytes(welcome.value.limits.max_message_bytes)}</Fact>
          </dl>
          {channel.metadata !== undefined && (
            <JsonView value={channel.metadata} name="metadata" open={false} most={6} />
          )}
          <div class="danger-zone">
            {channel.hardcoded ? (
              <p class="small">It is built in or configured, and cannot be deleted.</p>
            ) : (
              <>
                {isOwn ? (
                  <button type="button" class="danger" onClick={() => setIsDeleting(true)}>
                    Delete channel
                  </button>
                ) : (
                  <AdminAction text="Delete channel" class="danger" onClick={() => setIsDeleting(true)} />
                )}
                <p class="small">Erases its messages. For its creator and admins; you type the name to confirm.</p>
              </>
            )}
          </div>
        </div>
      )}
      {isDeleting && channel !== undefined && <DeleteChannel address={address} onClose={() => setIsDeleting(false)} />}
    </section>
  )
}

/** Deletes a channel once its name was typed; a channel in which somebody is cannot be deleted. */
function DeleteChannel({ address, onClose }: { address: string; onClose: () => void }) {
  const [typed, setTyped] = useState('')
  const [refused, setRefused] = useState<Refusal | undefined>(undefined)
  const me = welcome.value?.client.client_id
  const channel = channelInfo.value?.channel
  const isJoined = channel?.participants.some((id) => id === me) === true
  const others = (channel?.participant_count ?? 0) - (isJoined ? 1 : 0)

  async function remove(): Promise<void> {
    // The page itself is a participant.
    await client.value?.leave(address).catch(() => {})
    const done = await run('delete_channel', { channel: address }, true)
    if (done.ok) {
      onClose()
      goTo('channels')
      return refreshPlaces()
    }
    setRefused(done.error)
    void watch(address).begin()
  }

  return (
    <FormDialog
      title={`Delete ${address}`}
      action={`Delete ${address}`}
      isDangerous
      canSubmit={typed === address && others === 0}
      onSubmit={remove}
      onClose={onClose}
      refused={refused}
    >
      <p>
        {others > 0
          ? `${counted(others, 'other participant is', 'other participants are')} in it: the bus deletes a channel only when everybody has left.`
          : 'Nobody else is in it. Its messages are erased, and cannot be had back.'}
      </p>
      <TextField label={`Type ${address} to confirm`} value={typed} onInput={setTyped} />
    </FormDialog>
  )
}
