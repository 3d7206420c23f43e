/** Settings: one table, three sources, all mistakes at once. */

export { type Loaded, loadConfig } from './load.ts'
export { configFile, groups, namesOf } from './option.ts'
export { anyOption, type Config, longestFrame, optionKeys } from './options.ts'
export { defaultText, type ReferenceRow, reference } from './reference.ts'
export { configText, mistakesText } from './report.ts'
export type { Flags } from './sources.ts'
export { testConfig } from './test-config.ts'
export { samplers, tracesUrl } from './traces.ts'
