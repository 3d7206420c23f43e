export { commandCases, frameCases, type WorstCase, type WorstCommand } from './cases.ts'
export {
  headerCases,
  otherRequests,
  parameterCases,
  type RequestParts,
  requestCases,
  type WorstRequest,
} from './requests.ts'
export { sendRequests } from './send.ts'
export { prepareStage, type Scale, type Stage, type StageOptions } from './stage.ts'
