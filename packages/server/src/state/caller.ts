/** Reply sinks: HTTP requests, each of which waits for one reply. */
import type { CodedError, Position, PublishResult } from '@arqonbus/protocol'

/** What an acknowledgement says: the result of a publish, with the position in the log. */
export type Acknowledged = Omit<PublishResult, 'position'> & { readonly position: Position | null }

/** Takes the one answer to a request, in place of a connection that frames could go to. */
export type ReplySink = {
  /** A command of this client did what it was asked for. Parts of the result may be encoded already. */
  succeed(result: object, requester: string): void
  /** The log has the message, whether an acknowledgement was asked for or not. */
  acknowledge(requestId: string, result: Acknowledged): void
  /** `requester` is the client that sent it, if it was a command. */
  refuse(error: CodedError, requester?: string): void
}
