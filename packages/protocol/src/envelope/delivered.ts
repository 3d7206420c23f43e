/**
 * Reads single fields of a delivered envelope from its text, without parsing the whole: parsing a long message takes
 * milliseconds.
 */
import { clientIdPattern, messageIdPattern, namePattern } from '../names.ts'
import { membersOf, nameOf } from './json-members.ts'

/** The bus writes the first fields of a delivered envelope in a fixed order, without white space. */
const upToSender = new RegExp(
  `\\{"version":"[^"]{1,16}","id":"${messageIdPattern}","type":"[a-z_]{1,32}","room":"${namePattern}","channel":"(?:${namePattern}|\\*)","from":"`,
  'y',
)
const sender = new RegExp(clientIdPattern, 'y')

/** The sender of a delivered envelope; undefined if the text is none. */
export function senderOf(text: string): string | undefined {
  upToSender.lastIndex = 0
  if (!upToSender.test(text)) return undefined
  sender.lastIndex = upToSender.lastIndex
  return sender.exec(text)?.[0]
}

/** The recipients of a delivered private envelope. */
export function recipientsOf(text: string): readonly string[] {
  const metadata = membersOf(text, 0).findLast(({ key }) => key === 'metadata')
  if (metadata === undefined) return []
  const to = membersOf(text, metadata.start).findLast((member) => nameOf(member) === 'to')
  return to === undefined ? [] : [JSON.parse(text.slice(to.start, to.end)) as string | string[]].flat()
}

/** The `metadata.key` of a delivered envelope; undefined where it has none. */
export function keyOf(text: string): string | undefined {
  // Most messages have no key, and to search them is much cheaper than to read them.
  if (!text.includes('"key"')) return undefined
  const metadata = membersOf(text, 0).findLast(({ key }) => key === 'metadata')
  if (metadata === undefined) return undefined
  const member = membersOf(text, metadata.start).findLast((one) => nameOf(one) === 'key')
  return member === undefined ? undefined : (JSON.parse(text.slice(member.start, member.end)) as string)
}
