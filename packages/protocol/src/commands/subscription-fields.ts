/** What a join asks of the subscription itself (docs/protocol.md#delivery-policies, docs/protocol.md#presence). */
import Type from 'typebox'

/** The shortest and the longest period of a sampled subscription, in milliseconds. */
export const SAMPLE_MS = { least: 20, most: 60_000 } as const

/** Which of its messages a subscription delivers, where that is not all of them. */
export type DeliveryPolicy = 'latest' | { readonly sample_ms: number }

/** The fields of a join, beside those for recovery. */
export const subscriptionFields = {
  delivery: Type.Optional(
    Type.Unsafe<'all' | DeliveryPolicy>({
      anyOf: [
        { type: 'string', enum: ['all', 'latest'] },
        {
          type: 'object',
          required: ['sample_ms'],
          properties: { sample_ms: { type: 'integer', minimum: SAMPLE_MS.least, maximum: SAMPLE_MS.most } },
          additionalProperties: false,
        },
      ],
      description: `\`all\`, the default: every message; \`latest\`: while the client reads too slowly, only the newest of each channel and \`metadata.key\`; or \`{ "sample_ms": 200 }\`, from ${SAMPLE_MS.least} to ${SAMPLE_MS.most}: at most one message in so many milliseconds for each channel and \`metadata.key\`, the newest.`,
    }),
  ),
  snapshot: Type.Optional(
    Type.Literal('latest', {
      description:
        '`latest`: first the newest message of each `metadata.key`, then everything after them. Not with `since`.',
    }),
  ),
  presence: Type.Optional(
    Type.Boolean({ description: 'Whether the reply says who is there, and presence events follow.' }),
  ),
  invisible: Type.Optional(
    Type.Boolean({ description: 'Whether others are not shown this client in the channel or room.' }),
  ),
}
