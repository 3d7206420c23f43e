/** JSON that is passed on as it was written: no number, escape or order of keys changes on its way. */
import { copyText } from './text.ts'

/** A text that is JSON already. */
export class RawJson {
  constructor(readonly text: string) {}

  /** Keeps a part of a frame, without the frame. */
  static copyOf(text: string): RawJson {
    return new RawJson(copyText(text))
  }

  /** Encodes an object whose fields may be encoded already. */
  static of(value: object): RawJson {
    return new RawJson(encode(value))
  }
}

/** A value whose fields may be encoded already. */
export type Encodable<T> = T extends object ? { [Key in keyof T]: T[Key] | RawJson } : T

/** Encodes an object whose fields may be encoded already. */
export function encode(value: object): string {
  if (!hasRaw(value)) return JSON.stringify(value)
  let text = ''
  for (const [key, field] of Object.entries(value)) {
    if (field === undefined) continue
    text += `${text === '' ? '{' : ','}${JSON.stringify(key)}:${field instanceof RawJson ? field.text : JSON.stringify(field)}`
  }
  return `${text}}`
}

function hasRaw(value: object): boolean {
  for (const key in value) if ((value as Record<string, unknown>)[key] instanceof RawJson) return true
  return false
}
