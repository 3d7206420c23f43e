import type { Signal } from '@preact/signals'

type SearchFieldProps = {
  readonly label: string
  readonly placeholder: string
  /** What is typed. */
  readonly text: Signal<string>
  readonly onEnter?: () => void
}

/** A field that filters a list. */
export function SearchField({ label, placeholder, text, onEnter }: SearchFieldProps) {
  return (
    <input
      type="search"
      aria-label={label}
      placeholder={placeholder}
      value={text.value}
      onInput={(event) => {
        text.value = event.currentTarget.value
      }}
      onKeyDown={(event) => {
        if (event.key === 'Enter') onEnter?.()
      }}
    />
  )
}
