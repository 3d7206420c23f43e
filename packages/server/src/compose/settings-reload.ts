/**
 * Reads the settings again while the server runs: secrets in files, certificates, the file with settings. Every part
 * that can change checks its new settings first; only when all have agreed does any of them change.
 */
import { isDeepStrictEqual } from 'node:util'
import { CodedError, type CommandResult } from '@arqonbus/protocol'
import { type Config, type Mistake, mistakeText, namesOf, type OptionKey, optionKeys } from '../config/index.ts'
import type { Maybe } from '../kit/maybe.ts'
import type { Logger } from '../observability/logger.ts'

/** Puts new settings in force. It does not fail. */
type Apply = () => unknown

/** A part that takes new settings while the server runs. */
export type ReloadPart = {
  /** As replies and the log name it: `admin_key`. */
  readonly name: string
  /** The settings that it takes. */
  readonly settings: readonly OptionKey[]
  /** True where it reads files that its settings name: it may change while they stay the same. */
  readonly readsFiles?: true
  /** Checks new settings, and throws where they cannot be used. Returns what applies them; nothing where none differ. */
  prepare(config: Config): Maybe<Apply | undefined>
}

/** What a reload did. */
export type ReloadResult = CommandResult<'reload'>

/** Reads the settings again. */
export type Reload = {
  /** Adds a part. */
  add(part: ReloadPart): void
  /** Reads everything again; fails with `reload_failed` where something cannot be used, and then nothing has changed. */
  run(): Promise<ReloadResult>
  /** Reads one part again, with the settings in force; fails where it cannot be used. */
  runPart(name: string): Promise<void>
}

/** Reads all sources of settings again: the settings, or what is wrong with them. */
export type ReadSettings = () =>
  | { readonly config: Config; readonly mistakes?: never }
  | { readonly config?: never; readonly mistakes: readonly Mistake[] }

/** What reloading needs. */
type ReloadDeps = {
  readonly config: Config
  readonly logger: Logger
  readonly read: ReadSettings
}

/** Creates the reload of a server that was started with these settings. */
export function createReload({ config, logger, read }: ReloadDeps): Reload {
  const parts: ReloadPart[] = []
  let inForce: Config = config
  const hasChanged = (key: OptionKey, next: Config) => !isDeepStrictEqual(inForce[key], next[key])

  const readSettings = (): Config => {
    const { config: next, mistakes } = read()
    if (mistakes) throw new Error(mistakes.map(mistakeText).join('; '))
    return next
  }
  const prepareAll = async (next: Config) => {
    const changes: { readonly name: string; readonly apply: Apply }[] = []
    for (const part of parts) {
      if (part.readsFiles !== true && !part.settings.some((key) => hasChanged(key, next))) continue
      const apply = await part.prepare(next)
      if (apply !== undefined) changes.push({ name: part.name, apply })
    }
    return changes
  }
  const changeTo = async (next: Config): Promise<ReloadResult> => {
    const changes = await prepareAll(next)
    for (const { apply } of changes) await apply()
    const taken = parts.flatMap(({ settings }) => settings)
    inForce = Object.freeze({ ...inForce, ...Object.fromEntries(taken.map((key) => [key, next[key]])) })
    return {
      changed: changes.map(({ name }) => name),
      needs_restart: optionKeys.filter((key) => hasChanged(key, next)).map((key) => namesOf(key).variable),
    }
  }
  const run = async (): Promise<ReloadResult> => {
    try {
      const result = await changeTo(readSettings())
      logger.info({ event: 'reloaded', ...result })
      return result
    } catch (problem) {
      const reason = problem instanceof Error ? problem.message : String(problem)
      logger.error({ event: 'reload_failed', reason })
      throw new CodedError('reload_failed', { reason })
    }
  }
  const runPart = async (name: string): Promise<void> => {
    const apply = await parts.find((part) => part.name === name)?.prepare(inForce)
    await apply?.()
  }
  /** One after the other: each compares with what the one before has put in force. */
  let last: Promise<unknown> = Promise.resolve()
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const result = last.then(work)
    last = result.catch(() => {})
    return result
  }

  return {
    add: (part) => void parts.push(part),
    run: () => inTurn(run),
    runPart: (name) => inTurn(() => runPart(name)),
  }
}
