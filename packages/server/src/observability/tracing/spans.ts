/** What the way of a frame knows of traces: how a span begins, and what is said at its end. */
import type { ErrorCode, ParsedEnvelope, Position } from '@arqonbus/protocol'

/** Begins the span of a command; undefined where it gets none. */
export type TraceCommand = (clientId: string, envelope: ParsedEnvelope) => EndCommand | undefined

/** Ends the span of a command: the command's name, and the code of the error where there is one. */
type EndCommand = (command: string, code: ErrorCode | undefined) => void

/** Begins the span of a message; undefined where it gets none. */
export type TracePublish = (clientId: string, envelope: ParsedEnvelope) => PublishSpan | undefined

/** How a log took a message: it has it, had it already, or keeps it for a log that is away. */
type Taking = 'appended' | 'duplicate' | 'held'

/** The span of a message. It ends with the first of these calls; later ones say nothing. */
export type PublishSpan = {
  /** Where the log has it, with its position where that is known. */
  taken(taking: Taking, position: Position | undefined): void
  /** It was refused, or its outcome is unknown. */
  refused(code: ErrorCode): void
}
