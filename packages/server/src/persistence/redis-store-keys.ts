/**
 * How records are written to Redis: a hash for all rooms, one for the channels of each room, and one for the sessions
 * of each client, which ends with the last of them. A sorted set has the clients by the ends of their sessions, so that
 * they need not be searched for among the keys; a counter tells whether another server has changed rooms or channels.
 */
import { isReply, nameOfFault } from '../redis/faults.ts'
import { keyOf, type RecordPlace } from '../redis/keys.ts'
import type { Change } from './store.ts'

/** The keys of the store. */
export const keys = {
  rooms: keyOf('@rooms'),
  channelsOf: (room: string) => keyOf(`@channels:${room}`),
  sessions: keyOf('@sessions'),
  sessionsOf: (clientId: string) => keyOf(`@session:${clientId}`),
  changes: keyOf('@changes'),
}

/** A command with its arguments. */
export type Words = [command: string, ...args: (string | number)[]]

/** Counts a batch that changed rooms or channels. */
export const countChange: Words = ['incr', keys.changes]

/** Forgets clients whose sessions have ended. */
export const sweepSessions = (now: number): Words => ['zremrangebyscore', keys.sessions, '-inf', now]

/** A room goes when it has no channels: another server may use them. */
const FORGET_ROOM = `if redis.call('HLEN', KEYS[2]) == 0 then redis.call('HDEL', KEYS[1], ARGV[1]) end`

/** Writes what a record is now. The first argument of each command is the key, but for a script. */
export function commandsOf(change: Change, now: number): Words[] {
  const { kind, name, text, session, isOnlyIfAbsent } = change
  if (kind !== 'session') {
    const [key, field] = placeOf(change)
    if (text !== undefined) return [[isOnlyIfAbsent ? 'hsetnx' : 'hset', key, field, text]]
    return [kind === 'channel' ? ['hdel', key, field] : ['eval', FORGET_ROOM, 2, key, keys.channelsOf(name), name]]
  }
  const key = keys.sessionsOf(name)
  const end: Words[] = [
    ['del', key],
    ['zrem', keys.sessions, name],
  ]
  if (text === undefined || session === undefined) return end
  if (session.until <= now) return session.isAlone ? end : [['hdel', key, session.key]]
  const ms = Math.ceil(session.until - now)
  return [
    ...(session.isAlone ? end : []),
    ['hset', key, session.key, text],
    // The key lasts as long as the session that ends last: `GT` alone would not set what has no end yet.
    ['pexpire', key, ms, 'NX'],
    ['pexpire', key, ms, 'GT'],
    ['zadd', keys.sessions, 'GT', session.until, name],
  ]
}

/** Where a record is. */
export function placeOf({ kind, name, session }: Change): RecordPlace {
  if (kind === 'room') return [keys.rooms, name]
  if (kind === 'session') return [keys.sessionsOf(name), session!.key]
  const [room = '', channel = ''] = name.split(':')
  return [keys.channelsOf(room), channel]
}

/** What Redis says when it takes no writes, as opposed to this one: the link looks for the one that does. */
const ELSEWHERE = ['readonly', 'loading', 'masterdown', 'moved', 'ask', 'clusterdown']

/** True where Redis did not take one command, and others may be taken. */
export const isRefusal = (problem: unknown): boolean => isReply(problem) && !ELSEWHERE.includes(nameOfFault(problem))

/** True where a key holds something else than what is kept there: that concerns nothing but this key. */
export const isOfKey = (problem: unknown): boolean => isReply(problem) && /WRONGTYPE/.test(problem.message)
