/** What a rule between settings is. */
import type { Config, OptionKey } from './options.ts'

/** One rule: the settings it is about, and the message when it does not hold. */
export type Rule = { readonly keys: readonly OptionKey[]; broken(config: Config): string | undefined }
