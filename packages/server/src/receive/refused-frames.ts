/**
 * Refusals of frames by their form: all faults of a frame at once, with those that only the connection shows
 * (docs/protocol.md#replies-and-errors).
 */
import {
  areAny,
  CodedError,
  type EnvelopeFault,
  type EnvelopeType,
  type Fault,
  faultDetails,
  faultsIn,
  type Said,
} from '@arqonbus/protocol'

/** The refusal of a frame that is no envelope. */
export function malformed({ fault, details, said }: EnvelopeFault, types: readonly EnvelopeType[], id: string) {
  const ofFrame = faultsIn(details)
  if (said === undefined || !areAny(ofFrame)) return new CodedError(fault, { ...details })
  // What is expected of this connection says more than what is expected of any.
  const own = faultsOfSender(said, types, id)
  const all = [...ofFrame.map((one) => own.find(({ path }) => path === one.path) ?? one), ...own]
  return new CodedError(fault, { ...details, ...(areAny(all) && faultDetails(all)) })
}

/** The refusal of an envelope that this connection may not send. */
export function misplaced(said: Said, types: readonly EnvelopeType[], id: string): CodedError {
  const faults = faultsOfSender(said, types, id)
  const isForbidden = !types.some((type) => type === said.type)
  return new CodedError(isForbidden ? 'forbidden_type' : 'sender_mismatch', areAny(faults) ? faultDetails(faults) : {})
}

/** What is wrong with type and sender of a frame, as a connection may send it. */
function faultsOfSender({ type, from }: Said, types: readonly EnvelopeType[], id: string): Fault[] {
  const faults: Fault[] = []
  if (!types.some((one) => one === type))
    faults.push({ path: '/type', expected: `one of ${types.map((one) => JSON.stringify(one)).join(', ')}` })
  if (from !== id) faults.push({ path: '/from', expected: id })
  return faults
}
