/** Reads what is needed of a delivered envelope from its text, without making the rest of it: to parse a long message takes milliseconds. */
import { clientIdPattern, messageIdPattern, namePattern } from '../names.ts'
import { membersOf, nameOf } from './members.ts'

/** The bus writes the head of what it delivers in one order, without white space. */
const upToSender = new RegExp(
  `\\{"version":"[^"]{1,16}","id":"${messageIdPattern}","type":"[a-z_]{1,32}","room":"${namePattern}","channel":"(?:${namePattern}|\\*)","from":"`,
  'y',
)
const sender = new RegExp(clientIdPattern, 'y')

/** Who sent a delivered envelope; undefined for a text that is none. */
export function senderOf(text: string): string | undefined {
  upToSender.lastIndex = 0
  if (!upToSender.test(text)) return undefined
  sender.lastIndex = upToSender.lastIndex
  return sender.exec(text)?.[0]
}

/** Whom a delivered private envelope is for. */
export function recipientsOf(text: string): readonly string[] {
  const metadata = membersOf(text, 0).findLast(({ key }) => key === 'metadata')
  if (metadata === undefined) return []
  const to = membersOf(text, metadata.start).findLast((member) => nameOf(member) === 'to')
  return to === undefined ? [] : [JSON.parse(text.slice(to.start, to.end)) as string | string[]].flat()
}
