import { asking, secrets } from '../state/secrets.ts'
import { Icon } from './icon.tsx'

/** Whether this page has a key or a token, so that an action for admins may succeed. */
export const hasSecret = (): boolean => secrets.value.adminKey !== '' || secrets.value.token !== ''

type ActionProps = {
  /** The label of the button. */
  readonly text: string
  readonly class?: string
  readonly onClick: () => void
}

/** A button of an action for admins. Without a key it has a lock, and opens the dialog for the key. */
export function AdminAction({ text, class: kind = '', onClick }: ActionProps) {
  if (hasSecret())
    return (
      <button type="button" class={kind} onClick={onClick}>
        {text}
      </button>
    )
  return (
    <button
      type="button"
      class={`${kind} locked`}
      title="Needs the admin key"
      onClick={() => (asking.value = `“${text}” needs the admin key of the bus.`)}
    >
      {text}
      <Icon name="lock" />
    </button>
  )
}
