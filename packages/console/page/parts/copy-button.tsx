import { useState } from 'preact/hooks'
import { copy } from '../kit/clipboard.ts'
import { Icon, type IconName } from './icon.tsx'

type CopyButtonProps = {
  readonly text: string
  readonly icon?: IconName
  /** What is copied, asked when the button is pressed. */
  readonly value: () => string
}

/** Copies a text, and shows whether it was copied. */
export function CopyButton({ text, icon = 'copy', value }: CopyButtonProps) {
  const [said, setSaid] = useState('')
  async function press(): Promise<void> {
    setSaid((await copy(value())) ? 'Copied' : 'Not allowed by the browser')
    setTimeout(() => setSaid(''), 2000)
  }
  return (
    <button type="button" onClick={() => void press()}>
      <Icon name={icon} />
      <span aria-live="polite">{said === '' ? text : said}</span>
    </button>
  )
}
