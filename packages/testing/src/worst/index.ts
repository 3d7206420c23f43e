export { commandCases, frameCases, type WorstCase, type WorstCommand } from './cases.ts'
export { type Fixture, type FixtureOptions, prepareFixture, type Scale } from './fixture.ts'
export {
  headerCases,
  otherRequests,
  parameterCases,
  type RequestParts,
  requestCases,
  type WorstRequest,
} from './requests.ts'
export { sendRequests } from './send.ts'
