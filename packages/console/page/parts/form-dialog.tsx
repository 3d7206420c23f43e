import type { ComponentChildren } from 'preact'
import type { Refusal } from '../state/run.ts'
import { Dialog } from './dialog.tsx'
import { RefusalText } from './refusal.tsx'

type FormDialogProps = {
  readonly title: string
  /** The label of the button that submits the form. */
  readonly action: string
  readonly isDangerous?: boolean
  readonly canSubmit?: boolean
  readonly onSubmit: () => unknown
  readonly onClose: () => void
  /** Why the last submission failed. */
  readonly refused?: Refusal | undefined
  readonly children: ComponentChildren
}

/** A dialog with a form, to submit or to cancel. */
export function FormDialog(props: FormDialogProps) {
  const { title, action, isDangerous = false, canSubmit = true, onSubmit, onClose, refused, children } = props
  return (
    <Dialog title={title} onClose={onClose}>
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault()
          if (canSubmit) onSubmit()
        }}
      >
        {children}
        <div class="actions">
          <button type="submit" class={isDangerous ? 'danger' : 'primary'} disabled={!canSubmit}>
            {action}
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
