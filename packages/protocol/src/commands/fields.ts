/** Parameters and result fields that several commands share. */
import Type from 'typebox'
import { clientIdPattern, namePattern } from '../names.ts'

/** `room` and `channel` of a command; what is missing comes from its envelope. */
export const addressFields = {
  room: Type.Optional(
    Type.String({
      pattern: `^${namePattern}$`,
      description: 'The room. Without it, that of `channel` or of the envelope.',
    }),
  ),
  channel: Type.Optional(
    Type.String({
      pattern: `^(?:${namePattern}:)?(?:${namePattern}|\\*)$`,
      description:
        'The channel, as `channel` or `room:channel`; `*` is the whole room. Without it, that of the envelope.',
    }),
  ),
}

/** `room` of a command; else the envelope's. */
export const roomField = {
  room: Type.Optional(
    Type.String({ pattern: `^${namePattern}$`, description: 'The room. Without it, that of the envelope.' }),
  ),
}

/** Paging of lists. */
export const pageFields = {
  cursor: Type.Optional(
    Type.String({ maxLength: 256, description: 'The `cursor` of the page before. Without it, the first page.' }),
  ),
  limit: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: 1000,
      default: 100,
      description: 'Entries a page, at most: a page is one frame.',
    }),
  ),
}

/** The order of a list; `oldest` is the default. */
export const orderField = <Order extends string>(
  orders: readonly ['oldest', ...Order[]],
  texts: Readonly<Record<Order, string>>,
) =>
  Type.Optional(
    Type.Unsafe<'oldest' | Order>({
      enum: [...orders],
      default: 'oldest',
      description: `\`oldest\`: in the order in which they came; ${Object.entries(texts)
        .map(([order, text]) => `\`${order}\`: ${text}`)
        .join('; ')}.`,
    }),
  )

/** Where the next page begins; absent on the last. */
export const nextPage = {
  cursor: Type.Optional(Type.String({ description: 'Where the next page begins. Absent on the last page.' })),
}

/** An address in a result. */
export const AddressText = Type.String({
  pattern: `^${namePattern}:(?:${namePattern}|\\*)$`,
  description: 'The address: `room:channel`, or `room:*`.',
})

/** A client id in parameters. */
export const ClientIdField = Type.String({ pattern: `^${clientIdPattern}$`, description: 'The client.' })
