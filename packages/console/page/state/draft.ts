/**
 * A message before it is sent: checked by the schema of the envelope, so that its faults are shown before the bus
 * refuses it.
 */
import type { Welcome } from '@arqonbus/protocol'
import { createCheck } from '@arqonbus/protocol/csp-validator'
import { parseAddress } from '@arqonbus/protocol/names'
import { jsonText, utf8Bytes } from '../json/text.ts'
import { wire } from '../wire.ts'

/** The input of the user. */
export type DraftInput = {
  readonly target:
    | { readonly kind: 'channel'; readonly address: string }
    | { readonly kind: 'private'; readonly to: string }
  readonly payload: string
  readonly metadata: string
  readonly from: string
  readonly limits: Welcome['limits'] | undefined
}

/** The envelope of the input, and what is wrong with it. */
export type Draft = {
  readonly envelope: { readonly payload: object; readonly metadata: Record<string, unknown> | undefined }
  readonly to: string[]
  readonly fault: string | undefined
  readonly bytes: number
  /** True if plain text was converted into the payload `{ "text": … }`. */
  readonly isText: boolean
}

const check = createCheck(wire.envelope)

/** Parses and checks the input. */
export function draftOf({ target, payload: text, metadata: metadataText, from, limits }: DraftInput): Draft {
  const trimmed = text.trim()
  const isText = !trimmed.startsWith('{')
  const to = target.kind === 'private' ? target.to.split(/[\s,]+/).filter((id) => id !== '') : []
  const none: Draft = { envelope: { payload: {}, metadata: undefined }, to, fault: undefined, bytes: 0, isText }
  const payload = isText ? { value: { text: trimmed } as object } : parse(trimmed)
  if ('fault' in payload) return { ...none, fault: `The payload is not JSON: ${payload.fault}` }
  const metadata = metadataText.trim() === '' ? { value: undefined } : parse(metadataText)
  if ('fault' in metadata) return { ...none, fault: `The metadata are not JSON: ${metadata.fault}` }
  const address = target.kind === 'private' ? { room: 'arqonbus', channel: 'pm' } : parseAddress(target.address)
  if (address === undefined) return { ...none, fault: 'This is not an address: write room:channel.' }
  const own = metadata.value as Record<string, unknown> | undefined
  if (own !== undefined && ('ack' in own || 'to' in own))
    return { ...none, fault: '`ack` and `to` have their own fields here.' }
  const all = target.kind === 'private' ? { ...own, to } : own
  const envelope = {
    version: '1.0',
    id: 'arq_00000000-0000-7000-8000-000000000000',
    type: target.kind === 'private' ? 'private' : 'event',
    ...address,
    from,
    timestamp: new Date(0).toISOString(),
    payload: payload.value,
    ...(all !== undefined && { metadata: all }),
  }
  const wrong = check(envelope)
  const written = jsonText(envelope)
  if (written === undefined) return { ...none, fault: 'It is nested too deeply to be written.' }
  const bytes = utf8Bytes(written)
  return {
    envelope: { payload: payload.value as object, metadata: own },
    to,
    bytes,
    isText,
    fault:
      wrong !== undefined
        ? `At ${wrong.path === '' ? 'the top' : wrong.path}: expected ${wrong.expected}`
        : limits !== undefined && bytes > limits.max_message_bytes
          ? `${bytes} bytes, and the bus accepts ${limits.max_message_bytes}`
          : limits !== undefined && isDeeper(written, limits.max_depth)
            ? `It is nested deeper than the ${limits.max_depth} levels that the bus accepts`
            : undefined,
  }
}

function parse(text: string): { value: unknown } | { fault: string } {
  try {
    return { value: JSON.parse(text) as unknown }
  } catch (error) {
    return { fault: (error as Error).message }
  }
}

/** Counts brackets outside of strings; the text is JSON. */
function isDeeper(json: string, levels: number): boolean {
  let depth = 0
  for (const [bracket] of json.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*"|[[{]|[\]}]/g)) {
    if (bracket === '[' || bracket === '{') depth += 1
    else if (bracket === ']' || bracket === '}') depth -= 1
    if (depth > levels) return true
  }
  return false
}
