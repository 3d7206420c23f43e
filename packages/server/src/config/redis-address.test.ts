import { expect, test } from 'bun:test'
import { redisAddress, redisUrl } from './redis-address.ts'

test.each([
  ['redis://h', { place: { host: 'h', port: 6379 }, tls: false, database: 0 }],
  [' redis://h:7000/3 ', { place: { host: 'h', port: 7000 }, tls: false, database: 3 }],
  ['redis://h/?db=2', { place: { host: 'h', port: 6379 }, tls: false, database: 2 }],
  ['REDISS://ann:p%40ss@[::1]:7/0', { place: { host: '::1', port: 7 }, tls: true, username: 'ann', password: 'p@ss' }],
  ['redis://:p@:/s?s@h', { place: { host: 'h', port: 6379 }, password: 'p@:/s?s' }],
  ['redis+unix:///run/redis.sock?db=1', { place: { path: '/run/redis.sock' }, tls: false, database: 1 }],
  ['unix://ann:x@/a%20b/c,d.sock', { place: { path: '/a b/c,d.sock' }, username: 'ann', password: 'x', database: 0 }],
])('a Redis URL says where Redis is: %s', (url, address) => {
  const { value } = redisUrl.read(url)
  expect(redisAddress(value!)).toMatchObject(address)
})

test.each([
  ['localhost:6379', '"***": it is not a URL'],
  ['redis://h/abc', '"redis://h/abc": the database, after the last slash, must be a number'],
  ['redis://h/1/2', 'must be a number'],
  ['redis:///run/redis.sock', 'it names no host (a Unix socket is redis+unix:///run/redis.sock)'],
  ['redis://', 'it names no host'],
  ['redis+unix://run/redis.sock', 'there are three: redis+unix:///run/redis.sock'],
  ['unix:///run/', 'there are three'],
  ['redis://h?x=2', 'after the ? only db=<number> is known'],
  ['redis://h/1?db=2', 'it names two databases'],
  ['redis://h#1', 'only db=<number>'],
  ['redis://h:99999', 'the host or the port is not valid'],
  ['redis://h:0', 'the host or the port is not valid'],
  ['redis://a b', 'the host or the port is not valid'],
  ['http://h', 'the scheme http:// is unknown'],
  ['redis-sentinel://:hunter2@h:26379/mymaster', '"redis-sentinel://***@h:26379/mymaster": Redis Sentinel is not'],
  ['sentinel://h', 'Redis Sentinel is not supported'],
  ['redis://:hunter2@a,redis://:hunter2@b', 'several servers are a cluster or sentinels, which are not supported'],
  ['redis://a,b', 'several servers are a cluster'],
  ['redis://:hunter2@h/x', '"redis://***@h/x"'],
  ['redis://:hunter2', '"redis://***"'],
  ['redis://ann:hu%zznter2@h', 'user and password must be percent-encoded'],
])('a Redis URL in an unknown form is a mistake that says what is wrong, without its secrets: %s', (url, fault) => {
  const reading = redisUrl.read(url)
  expect(reading).not.toHaveProperty('value')
  const [message = ''] = ('faults' in reading && reading.faults) || []
  expect(message).toStartWith('must be a URL such as redis://127.0.0.1:6379')
  expect(message).toContain(fault)
  expect(message).not.toMatch(/hunter2|hu%zz/)
})
