import { preview } from '../json/preview.ts'
import type { Refusal } from '../state/run.ts'
import { asking } from '../state/secrets.ts'
import { wire } from '../wire.ts'

/** A refusal: the error, the place of the fault, and a way to enter a secret if one is missing. */
export function RefusalText({ refusal: { code, message, details } }: { refusal: Refusal }) {
  const known = (wire.errorTexts as Record<string, string>)[code]
  const lacksSecret = code === 'forbidden' || code === 'unauthenticated' || code === 'token_expired'
  return (
    <div class="refusal" role="alert">
      <p>
        <code>{code}</code> {message}
      </p>
      {known !== undefined && known !== message && <p class="muted">{known}</p>}
      {details !== undefined && <p class="muted">{sentenceOf(details)}</p>}
      {lacksSecret && (
        <button type="button" onClick={() => (asking.value = message)}>
          Enter a key or token
        </button>
      )}
    </div>
  )
}

function sentenceOf(details: Readonly<Record<string, unknown>>): string {
  const { path, expected, ...rest } = details
  const place = typeof path === 'string' ? `At ${path === '' ? 'the top' : path}: ` : ''
  const wanted = typeof expected === 'string' ? `expected ${expected}. ` : ''
  const others = Object.keys(rest).length > 0 ? preview(rest, 300) : ''
  return `${place}${wanted}${others}`
}
