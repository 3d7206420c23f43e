/** How a payload reads: its text, and the other fields as short values. */
import { preview } from './preview.ts'

/** A payload as a line of a conversation; without a text all of it is one line of code. */
export type Reading = {
  readonly text: string | undefined
  /** The number of characters of the text that are not shown. */
  readonly cut: number
  readonly fields: readonly { readonly name: string; readonly value: string }[]
  /** The number of fields that are not shown. */
  readonly more: number
}

/** Fields that hold the text of a message, the first that is there. */
const textFields = ['text', 'message', 'content', 'body'] as const
const MOST_TEXT = 2000
const MOST_FIELDS = 8

type Payload = Readonly<Record<string, unknown>>

const textFieldOf = (payload: Payload) =>
  textFields.find((name) => typeof payload[name] === 'string' && payload[name] !== '')

/** The whole text of a payload; undefined if it has none. */
export function textOf(payload: Payload): string | undefined {
  const name = textFieldOf(payload)
  return name === undefined ? undefined : (payload[name] as string)
}

/** Reads a payload; only what is shown of it is touched. */
export function readingOf(payload: Payload): Reading {
  const name = textFieldOf(payload)
  if (name === undefined) return { text: undefined, cut: 0, fields: [], more: 0 }
  const text = payload[name] as string
  const fields: { name: string; value: string }[] = []
  let more = 0
  for (const key in payload) {
    if (key === name) continue
    if (fields.length < MOST_FIELDS) fields.push({ name: key.slice(0, 60), value: shortValue(payload[key]) })
    else more += 1
  }
  return { text: text.slice(0, MOST_TEXT), cut: Math.max(0, text.length - MOST_TEXT), fields, more }
}

const shortValue = (value: unknown): string =>
  typeof value === 'string' ? (value.length > 120 ? `${value.slice(0, 119)}…` : value) : preview(value, 120)
