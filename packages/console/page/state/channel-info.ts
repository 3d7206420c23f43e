/** The open channel in full: its participants and options. */
import type { ChannelInFull, ListedClient } from '@arqonbus/protocol'
import { signal } from '@preact/signals'
import { client, link } from './bus.ts'
import { type Refusal, refusalOf } from './run.ts'
import { onTelemetry } from './telemetry.ts'

/** What is known of a channel. */
export type ChannelInfo = {
  readonly address: string
  readonly channel: ChannelInFull | undefined
  /** The first participants that this identity may see. */
  readonly people: readonly ListedClient[]
  readonly refusal: Refusal | undefined
}

/** The channel that is shown. */
export const channelInfo = signal<ChannelInfo | undefined>(undefined)

const EVERY_MS = 10_000
let shown: string | undefined

/** Keeps what is known of a channel current until the returned function is called. */
export function watchChannelInfo(address: string): () => void {
  shown = address
  if (channelInfo.peek()?.address !== address) channelInfo.value = undefined
  void refreshChannelInfo()
  const timer = setInterval(() => void refreshChannelInfo(), EVERY_MS)
  return () => {
    clearInterval(timer)
    if (shown === address) shown = undefined
  }
}

/** Asks for the shown channel now. */
export async function refreshChannelInfo(): Promise<void> {
  const [address, bus] = [shown, client.value]
  if (address === undefined || bus === undefined || link.value.state !== 'open') return
  const put = (known: Omit<ChannelInfo, 'address'>) => {
    if (shown === address) channelInfo.value = { address, ...known }
  }
  try {
    const [{ channel }, people] = await Promise.all([bus.channelInfo(address), peopleOf(address)])
    put({ channel, people, refusal: undefined })
  } catch (error) {
    put({ channel: undefined, people: [], refusal: refusalOf(error) })
  }
}

/** Names and types of the participants; none where this identity may not list them. */
async function peopleOf(address: string): Promise<readonly ListedClient[]> {
  try {
    return (await client.value?.listClients({ channel: address, limit: 100 }))?.clients ?? []
  } catch {
    return []
  }
}

let due: ReturnType<typeof setTimeout> | undefined
onTelemetry(({ type, body: { room, channel } }) => {
  if ((type !== 'channel_joined' && type !== 'channel_left') || due !== undefined) return
  if (shown === undefined || (shown !== `${room}:${channel}` && !(channel === '*' && shown.startsWith(`${room}:`))))
    return
  due = setTimeout(() => {
    due = undefined
    void refreshChannelInfo()
  }, 300)
})
