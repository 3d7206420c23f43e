/** Callers: whoever asks by HTTP, and waits for one answer. */
import type { CodedError, Position, PublishResult } from '@arqonbus/protocol'

/** What an acknowledgement says: the result of a publish, with the position as it stands in the log. */
export type Acknowledged = Omit<PublishResult, 'position'> & { readonly position: Position | null }

/** Takes the one answer to a request, in place of a connection that frames could go to. */
export type ReplySink = {
  /** True where it is the client of the session that it brought, and not only says so: the inbox of a client is its session's. */
  isProven: boolean
  /** A command did what it was asked for. Parts of the result may be encoded already. */
  succeed(result: object): void
  /** The log has the message, whether an acknowledgement was asked for or not. */
  acknowledge(requestId: string, result: Acknowledged): void
  refuse(error: CodedError): void
}
