import { useId } from 'preact/hooks'

type TextFieldProps = {
  readonly label: string
  readonly isSecret?: boolean
  readonly placeholder?: string
  readonly maxLength?: number
  readonly hint?: string
  readonly value: string
  readonly isWrong?: boolean
  readonly onInput: (value: string) => void
}

/** A labelled field of a form, with a hint below it. */
export function TextField(props: TextFieldProps) {
  const { label, isSecret = false, placeholder, maxLength, hint, value, isWrong = false, onInput } = props
  const id = useId()
  const input = {
    id,
    placeholder,
    maxLength,
    autocomplete: 'off',
    spellcheck: false,
    value,
    'aria-invalid': isWrong,
    'aria-describedby': hint === undefined ? undefined : `${id}-hint`,
    onInput: (event: { readonly currentTarget: HTMLInputElement }) => onInput(event.currentTarget.value),
  }
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {isSecret ? <input type="password" {...input} /> : <input {...input} />}
      {hint !== undefined && (
        <small id={`${id}-hint`} class={isWrong ? 'fault' : 'muted'}>
          {hint}
        </small>
      )}
    </div>
  )
}
