/**
 * Recognises frames of the Python ArqonBus, which this protocol follows: a refusal of one names the new form
 * (docs/guide/from-python.md). Only refused frames are looked at.
 */

type Frame = Readonly<Record<string, unknown>>

/** What a frame of the older form has, and what is written in its place. */
const renamed: readonly { readonly isIn: (frame: Frame, payload: Frame) => boolean; readonly hint: string }[] = [
  { isIn: hasSender, hint: '`from`, your client id, in place of `sender`' },
  { isIn: (frame) => frame.type === 'message', hint: 'the type `event` in place of `message`' },
  {
    isIn: (frame) => 'to_client' in frame,
    hint: 'the type `private`, the channel `pm` and `metadata.to` in place of `to_client`',
  },
  {
    isIn: (frame, payload) => frame.type === 'private' && 'target' in payload,
    hint: 'the channel `pm` and `metadata.to` in place of `payload.target`',
  },
  {
    isIn: (frame, payload) => 'command' in frame || (frame.type === 'command' && 'command' in payload),
    hint: '`payload.name` in place of `command`',
  },
  {
    isIn: (frame, payload) => 'args' in frame || (frame.type === 'command' && 'args' in payload),
    hint: '`payload.parameters` in place of `args`',
  },
]

function hasSender(frame: Frame): boolean {
  return 'sender' in frame || 'from_client' in frame
}

/** Names the new form of a refused frame; undefined where nothing of it is of the older one. */
export function olderFormHint(frame: Frame): string | undefined {
  const { payload } = frame
  const inside = typeof payload === 'object' && payload !== null ? (payload as Frame) : {}
  const hints = renamed.filter(({ isIn }) => isIn(frame, inside)).map(({ hint }) => hint)
  const about = hints.length === 0 ? '' : '; the guide "Coming from the Python ArqonBus" has the whole form'
  if (!('from' in frame) && !hasSender(frame)) hints.push('`from`, your client id, which the `welcome` names')
  return hints.length === 0 ? undefined : `write ${hints.join('; ')}${about}`
}
