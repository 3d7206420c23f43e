/**
 * What the bus says of itself, once a second: the one document that the console asks for all the time. Every count on
 * the page is from here, so that all of them agree.
 */
import type { CommandResult } from '@arqonbus/protocol'
import { computed, signal } from '@preact/signals'
import { client, link, onBus } from './bus.ts'
import type { Attention, LimitInUse, RefusedFrames } from './figures.ts'
import { limits as measuredLimits, refusals as measuredRefusals } from './measured.ts'
import { type Refusal, refusalOf } from './run.ts'

/** What `status` says; fields that a server of an earlier version does not send are optional. */
export type Status = CommandResult<'status'> & {
  readonly attention?: readonly Attention[]
  readonly limits?: readonly LimitInUse[]
  readonly refusals?: readonly RefusedFrames[]
}

/** The last status; undefined before the first. */
export const status = signal<Status | undefined>(undefined)
/** Why there is no status. */
export const statusRefused = signal<Refusal | undefined>(undefined)
/** When the last status came, by the clock of this machine. */
export const statusAt = signal(0)

/** Frames refused in the last 15 minutes, the most frequent code first. */
export const refusals = computed<readonly RefusedFrames[]>(() =>
  (status.value?.refusals ?? measuredRefusals.value).toSorted((a, b) => b.count - a.count),
)

/** The limits, the fullest first. */
export const limits = computed<readonly LimitInUse[]>(() =>
  (status.value?.limits ?? measuredLimits.value)
    .filter(({ most }) => most > 0)
    .toSorted((a, b) => b.used / b.most - a.used / a.most),
)

const EVERY_MS = 1000
let running: Promise<void> | undefined

/** Asks once a second, for as long as the page is open. */
export function watchStatus(): void {
  onBus('connected', () => void refreshStatus())
  setInterval(() => void refreshStatus(), EVERY_MS)
}

/** Asks now, unless a question is under way. */
export function refreshStatus(): Promise<void> {
  running ??= ask().finally(() => {
    running = undefined
  })
  return running
}

async function ask(): Promise<void> {
  const bus = client.value
  if (bus === undefined || link.value.state !== 'open') return
  try {
    status.value = (await bus.status()) as Status
    statusAt.value = Date.now()
    statusRefused.value = undefined
  } catch (error) {
    // Without a connection the last status stays; the page says that it is old.
    if (link.peek().state === 'open') statusRefused.value = refusalOf(error)
  }
}
