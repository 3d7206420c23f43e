export { commandCases, frameCases, type WorstCase } from './cases.ts'
export { prepareStage, type Scale, type Stage, type StageOptions } from './stage.ts'
