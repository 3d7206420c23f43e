/**
 * Client ids under tokens: which of them the subject of a token may use (docs/protocol.md#client-ids-under-tokens).
 */
import { createHash } from 'node:crypto'
import { BUS, isClientId } from '@arqonbus/protocol'
import type { ClientClaims } from './claims.ts'

/** What ids begin with that are assigned: no subject has such a one by its name. */
const ASSIGNED = 'sub-'

/** A longer subject would leave no room for a name behind it. */
const LONGEST_OWN = 96

/** Several connections of one subject: `ada--tab2`. */
const SEPARATOR = '--'

/**
 * The client id of a subject: the subject itself, or an assigned one where that is no id, or could be mistaken for one
 * that belongs to another. It is always the same.
 */
export function idOfSubject(subject: string): string {
  const isOwn =
    isClientId(subject) &&
    subject.length <= LONGEST_OWN &&
    !subject.includes(SEPARATOR) &&
    !subject.startsWith(ASSIGNED) &&
    subject !== BUS
  return isOwn ? subject : ASSIGNED + createHash('sha256').update(subject).digest('hex').slice(0, 32)
}

/** Whether these claims allow an id: that of the claim, or else that of the subject, alone or with `--` and a name. */
export function mayUseId({ clientId, subject }: Pick<ClientClaims, 'clientId' | 'subject'>, asked: string): boolean {
  if (clientId !== undefined) return asked === clientId
  const own = idOfSubject(subject)
  if (asked === own) return true
  return asked.startsWith(own + SEPARATOR) && /^[A-Za-z0-9]+$/.test(asked.slice(own.length + SEPARATOR.length))
}

/** The id of a client that asks for none. */
export const ownId = ({ clientId, subject }: Pick<ClientClaims, 'clientId' | 'subject'>): string =>
  clientId ?? idOfSubject(subject)

/** Another id of the same subject, with a name that nobody else chooses; undefined where a claim gives one only. */
export const otherId = ({ clientId, subject }: Pick<ClientClaims, 'clientId' | 'subject'>, name: string): string =>
  clientId ?? `${idOfSubject(subject)}${SEPARATOR}${name}`
