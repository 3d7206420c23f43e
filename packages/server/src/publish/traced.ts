/** Publishing with a span around each message that is sampled: from its frame to what the log says of it. */
import { CodedError, type DurabilityLevel, type Position } from '@arqonbus/protocol'
import type { PublishSpan, Taking, TracePublish } from '../observability/tracing/spans.ts'
import { isLessThanAsked } from './ack-request.ts'
import type { Publish, PublishDraft } from './draft.ts'

/** Publishing that is told the span of the message. */
export type PublishWithSpan = (...publish: [...Parameters<Publish>, span?: PublishSpan]) => boolean

/** Begins the spans, and ends those of messages that are refused before they come to a log. */
export function traced(publish: PublishWithSpan, trace: TracePublish): Publish {
  return (client, envelope, now, settled) => {
    const span = trace(client.id, envelope)
    if (span === undefined) return publish(client, envelope, now, settled)
    try {
      return publish(client, envelope, now, settled, span)
    } catch (problem) {
      span.refused(problem instanceof CodedError ? problem.code : 'internal_error')
      throw problem
    }
  }
}

/** Ends the span of a draft that a log has taken, where it has one. */
export function endSpan(
  { span, envelope }: PublishDraft,
  taking: Taking,
  position: Position | undefined,
  replicas: number | undefined,
  level: DurabilityLevel | undefined,
): void {
  if (span === undefined) return
  if (isLessThanAsked(envelope, replicas, level)) span.refused('outcome_unknown')
  else span.taken(taking, position)
}
