/**
 * What is remembered of a message in Redis, so that one that is sent again is recognised, by whichever node: a print of who sent which id, and one of its
 * content. They are digests, because an entry by full ids would take twice the memory.
 */
import { hash } from 'node:crypto'
import type { ReadEnvelope } from '@arqonbus/protocol'
import { contentKeys } from '../content.ts'

/** 96 bits of SHA-256 in base64: two messages of one log within one window share it never. */
const print = (text: string): string => hash('sha256', text, 'base64').slice(0, 16)

/** Who sent which id. */
export const idPrint = ({ from, id }: ReadEnvelope): string => print(`${from}\n${id}`)

/** What it says: type, payload as written, and the metadata that says what it is. */
export function contentPrint({ type, payloadText, metadata }: ReadEnvelope): string {
  let text = `${type}\n${payloadText}`
  for (const key of contentKeys(metadata)) text += `\n${key}\n${JSON.stringify(metadata![key])}`
  return print(text)
}
