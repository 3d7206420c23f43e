/**
 * What the user has typed and not sent yet, for each target. Drafts outlive a change of the view and a reload of the
 * page; like the secrets they are stored in this tab only.
 */
import { type Signal, signal } from '@preact/signals'
import { makeRoom } from '../kit/make-room.ts'

/** The input for one target. */
export type DraftFields = {
  readonly payload: string
  readonly metadata: string
  /** Of a private message: the recipients. */
  readonly to: string
  /** `true`, a durability level, or `none`. */
  readonly ack: string
}

const KEY = 'arqonbus-drafts'
/** The most targets of which the input is stored. Beyond it the oldest is dropped, an empty one if there is any. */
const MOST = 100
const none: DraftFields = { payload: '', metadata: '', to: '', ack: 'true' }

const drafts = new Map<string, Signal<DraftFields>>(stored())

/** The draft for a target, such as an address. */
export function draftFor(target: string): Signal<DraftFields> {
  const known = drafts.get(target)
  if (known !== undefined) return known
  makeRoom(drafts, MOST, (draft) => !isTyped(draft.peek()))
  makeRoom(drafts, MOST, () => true)
  const made = signal(none)
  drafts.set(target, made)
  return made
}

/** Changes fields of a draft. */
export function edit(target: string, change: Partial<DraftFields>): void {
  const draft = draftFor(target)
  draft.value = { ...draft.value, ...change }
  store()
}

const isTyped = ({ payload, metadata }: DraftFields): boolean => payload !== '' || metadata !== ''

function store(): void {
  const typed = [...drafts].filter(([, { value }]) => isTyped(value))
  try {
    sessionStorage.setItem(KEY, JSON.stringify(typed.map(([target, { value }]) => [target, value])))
  } catch {
    // The storage is full: the drafts last until the page is closed or loaded again.
  }
}

function stored(): [string, Signal<DraftFields>][] {
  try {
    const found = JSON.parse(sessionStorage.getItem(KEY) ?? '[]') as [string, Partial<DraftFields>][]
    return found.map(([target, draft]) => [target, signal({ ...none, ...draft })])
  } catch {
    return []
  }
}
