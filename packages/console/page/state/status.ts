/**
 * The result of `status` without its lists, requested once a second: the only request that the console repeats on every
 * view. Every count on the page is from here, so that all of them agree.
 */
import type { CommandResult, LimitInUse, RefusedFrames } from '@arqonbus/protocol'
import { computed, signal } from '@preact/signals'
import { client, link, onBus } from './bus.ts'
import { type Refusal, refusalOf } from './run.ts'

/** The result of `status`. */
export type Status = CommandResult<'status'>

/** The last status; undefined before the first. */
export const status = signal<Status | undefined>(undefined)
/** The refusal of the last `status`; undefined if it succeeded. */
export const statusRefused = signal<Refusal | undefined>(undefined)
/** When the last status came, by the clock of this machine. */
export const statusAt = signal(0)

/** Frames refused in the last 15 minutes, the most frequent code first. */
export const refusals = computed<readonly RefusedFrames[]>(() => status.value?.refusals ?? [])

/** The limits, the fullest first. */
export const limits = computed<readonly LimitInUse[]>(() => status.value?.limits ?? [])

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
    status.value = await bus.status({ lists: false })
    statusAt.value = Date.now()
    statusRefused.value = undefined
  } catch (error) {
    // Without a connection the last status is kept, and the page shows its time.
    if (link.peek().state === 'open') statusRefused.value = refusalOf(error)
  }
}
