/**
 * Who calls: client id, token and session, from the headers of a request, and from its query where a page can set no
 * headers.
 */
import { BUS, CodedError, clientIdPattern, isClientId } from '@arqonbus/protocol'
import type { Credentials } from '../../connections/http-clients.ts'

/** What a request shows, before it is known who that is. */
export type ShownCredentials = Omit<Credentials, 'authenticated'>

/** Reads them and takes what it reads from the query; `invalid_parameters`. */
export function readCredentials(headers: Headers, query: URLSearchParams, tokenInQuery: boolean): ShownCredentials {
  const authorization = headers.get('authorization')
  const bearer = authorization === null ? undefined : /^Bearer +([^ ]+)$/i.exec(authorization)?.[1]
  if (authorization !== null && bearer === undefined) throw wrong('headers/authorization', '`Bearer <token>`')
  const token = takeOne(query, 'token')
  if (token !== undefined && !tokenInQuery)
    throw wrong('query/token', 'to be absent: a token travels as `Authorization: Bearer …`')
  if (bearer !== undefined && token !== undefined && bearer !== token)
    throw wrong('query/token', 'the token of the header, or none')
  return {
    clientId: readClientId(headers.get('arqonbus-client-id'), takeOne(query, 'client_id')),
    token: bearer ?? token,
    session: headers.get('arqonbus-session') ?? undefined,
  }
}

function readClientId(header: string | null, inQuery: string | undefined): string | undefined {
  const id = header ?? inQuery
  if (id === undefined) return undefined
  const path = header === null ? 'query/client_id' : 'headers/arqonbus-client-id'
  if (!isClientId(id)) throw wrong(path, `text of the form ^${clientIdPattern}$`)
  if (id === BUS) throw wrong(path, `another id: ${BUS} is the bus itself`)
  if (inQuery !== undefined && inQuery !== id) throw wrong('query/client_id', 'the client id of the header, or none')
  return id
}

/** The one value of a parameter, which is not in the query any more then. */
export function takeOne(query: URLSearchParams, name: string): string | undefined {
  if (!query.has(name)) return undefined
  const values = query.getAll(name)
  if (values.length > 1) throw wrong(`query/${name.slice(0, 64)}`, 'to be given once')
  query.delete(name)
  return values[0]
}

/** `invalid_parameters`, with what is wrong. */
export const wrong = (path: string, expected: string): CodedError =>
  new CodedError('invalid_parameters', { path: `/${path}`, expected })
