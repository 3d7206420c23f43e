/** Why a bus is degraded, or takes no new clients: the reasons of `/health` and `/ready`. */

/** All reasons by their codes, each with what it means. docs/guide/operations.md says what to do. */
export const healthReasons = {
  storage_away: 'The external log is unavailable.',
  telemetry_unavailable: 'The telemetry server does not listen, though it should.',
  bootstrap_incomplete: 'Configured rooms or channels could not be created.',
  memory_low: 'The process uses nearly all memory that it may have.',
  open_files_low: 'Nearly all open files are in use, and new connections are refused.',
  stopping: 'The server was asked to stop, and still serves during the drain delay.',
  draining: 'The server is stopping, and accepts no new connections.',
} as const

/** One reason. */
export type HealthReason = {
  readonly code: keyof typeof healthReasons
  readonly message: string
  /** What exactly, where there is more to say: a fault in one word, an error. */
  readonly detail?: string
}

/** A reason with its message. */
export const reason = (code: HealthReason['code'], detail?: string): HealthReason => ({
  code,
  message: healthReasons[code],
  ...(detail !== undefined && { detail }),
})

/** The part of its memory above which a process is in danger, as in the alert. */
const MEMORY_SHARE = 0.9

/** True where a process is near the end of its memory. */
export const isMemoryLow = (usedBytes: number, limitBytes: number): boolean => usedBytes > MEMORY_SHARE * limitBytes
