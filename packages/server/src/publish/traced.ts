/** Publishing with a span around each message that is sampled: from its frame to what the log says of it. */
import { CodedError } from '@arqonbus/protocol'
import type { AppendOutcome } from '../log/contract.ts'
import type { PublishSpan, TracePublish } from '../observability/tracing/spans.ts'
import { isLessThanAsked } from './ack-request.ts'
import type { Publish, PublishDraft } from './draft.ts'

/** Publishing that gets the span of the message. */
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

/** Ends the span of a draft that a log has settled, where it has one. */
export function endSpan({ span, envelope }: PublishDraft, outcome: AppendOutcome): void {
  if (span === undefined) return
  if (outcome.kind === 'refused' || outcome.kind === 'unknown') span.refused(outcome.error.code)
  else if (outcome.kind === 'queued') span.taken('held', undefined)
  else if (isLessThanAsked(envelope, outcome)) span.refused('outcome_unknown')
  else span.taken(outcome.kind, outcome.position)
}
