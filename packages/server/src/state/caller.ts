/** Callers: whoever asks by HTTP, and waits for one answer. */
import type { CodedError, Position, PublishResult } from '@arqonbus/protocol'

/** What an acknowledgement says: the result of a publish, with the position as it stands in the log. */
export type Acknowledged = Omit<PublishResult, 'position'> & { readonly position: Position | null }

/** Takes the one answer to a request, in place of a connection that frames could go to. */
export type ReplySink = {
  /** A command did what it was asked for. Parts of the result may be encoded already. */
  succeed(result: object): void
  /** The log has the message, whether an acknowledgement was asked for or not. */
  acknowledge(requestId: string, result: Acknowledged): void
  refuse(error: CodedError): void
}
