/**
 * W3C Trace Context of a request (https://www.w3.org/TR/trace-context/): its `traceparent` and `tracestate` become those
 * of the message or command. As the specification demands, what is invalid is ignored.
 */
import { ClientMetadata, compile } from '@arqonbus/protocol'

/** The trace that a request belongs to; `state` only with a valid `parent`. */
export type Trace = { readonly parent: string; readonly state: string | undefined }

const checkMetadata = compile(ClientMetadata)

/** The trace of a request; undefined if it has none, or an invalid one. */
export function readTrace(headers: Headers): Trace | undefined {
  const parent = headers.get('traceparent')
  if (parent === null || checkMetadata({ traceparent: parent }) !== undefined) return undefined
  const state = headers.get('tracestate')
  return { parent, state: state !== null && isState(state) ? state : undefined }
}

/** The members of `metadata` that it becomes, without the braces. */
export const traceMembers = ({ parent, state }: Trace): string =>
  `"traceparent":"${parent}"${state === undefined ? '' : `,"tracestate":${JSON.stringify(state)}`}`

const MOST_LENGTH = 512
const MOST_VENDORS = 32
const key = '(?:[a-z][a-z0-9_*/-]{0,255}|[a-z0-9][a-z0-9_*/-]{0,240}@[a-z][a-z0-9_*/-]{0,13})'
const vendor = new RegExp(`^${key}=[ -+\\--<>-~]{0,255}[!-+\\--<>-~]$`)

/** A list of `vendor=value`, each vendor once; empty entries are ignored. */
function isState(text: string): boolean {
  if (text.length > MOST_LENGTH) return false
  const entries = text.split(',').flatMap((entry) => entry.trim() || [])
  const vendors = new Set(entries.map((entry) => entry.slice(0, entry.indexOf('='))))
  return (
    entries.length <= MOST_VENDORS && vendors.size === entries.length && entries.every((entry) => vendor.test(entry))
  )
}
