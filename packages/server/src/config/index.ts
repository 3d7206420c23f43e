/** Settings: one table, three sources, all mistakes at once. */

export type { BootstrapChannel, BootstrapRoom } from './configured-rooms.ts'
export { type ConfigInput, type Loaded, loadConfig, type Origin } from './load.ts'
export { configFile, groups, namesOf, type OptionNames } from './option.ts'
export { anyOption, type Config, longestFrame, type OptionKey, optionKeys } from './options.ts'
export type { Rate } from './quantities.ts'
export { defaultText, fileReference, type ReferenceRow, reference } from './reference.ts'
export { configText, mistakesText } from './report.ts'
export type { Flags, Mistake } from './sources.ts'
export { testConfig } from './test-config.ts'
export { samplers, tracesUrl } from './traces.ts'
