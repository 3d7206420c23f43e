import { expect, test } from 'bun:test'
import { isFromForeignPage, isOriginAllowed } from './origins.ts'

const settings = ['https://app.example.org', 'capacitor://localhost']
const decide = (origin: string | null, host: string | null, isTls = false) =>
  isOriginAllowed(origin, host, { allowed: settings, isTls })

test('all loopback names and addresses are one host, on any port', () => {
  const names = ['localhost', '127.0.0.1', '[::1]', '127.5.0.1', 'app.localhost', 'LOCALHOST', '[::ffff:127.0.0.1]']
  for (const page of names)
    for (const host of names)
      expect([page, host, decide(`http://${page}:8137`, `${host}:9100`)]).toEqual([page, host, true])
})

test('a loopback page is foreign to every other host, and every other page to loopback', () => {
  for (const [origin, host] of [
    ['http://localhost:8137', '192.168.1.5:9100'],
    ['http://127.0.0.1', 'bus.example.org'],
    ['http://192.168.1.5:9100', '127.0.0.1:9100'],
    ['http://localhost.evil.example', 'localhost'],
    ['http://evil.example', 'localhost'],
    ['http://localhost@evil.example', 'localhost'],
    ['http://evil.example#localhost', 'localhost'],
    ['https://sub.bus.example.org', 'bus.example.org'],
  ] as const)
    expect([origin, host, decide(origin, host)]).toEqual([origin, host, false])
})

test('the same host is allowed on any port by http and https, and by no other scheme', () => {
  expect(decide('https://bus.example.org:8443', 'BUS.example.org.:9100')).toBe(true)
  for (const scheme of ['chrome-extension', 'ionic', 'file', 'ftp'])
    expect([scheme, decide(`${scheme}://localhost`, 'localhost')]).toEqual([scheme, false])
  expect(decide('capacitor://localhost', 'localhost')).toBe(true)
})

test('a missing Origin is allowed, and null, an empty one or one with an invalid Host is not', () => {
  expect(decide(null, 'localhost')).toBe(true)
  for (const [origin, host] of [
    ['null', 'localhost'],
    ['', ''],
    ['http://localhost', null],
    ['http://localhost', 'a, b'],
    ['http://localhost, http://evil.example', 'localhost'],
  ] as const)
    expect([origin, host, decide(origin, host)]).toEqual([origin, host, false])
})

test('requests from foreign pages are recognised by Sec-Fetch-Site, and requests without it are not foreign', () => {
  const foreign = (site?: string) =>
    isFromForeignPage(new Headers(site === undefined ? {} : { 'sec-fetch-site': site }))
  expect([foreign('cross-site'), foreign('same-site'), foreign('made-up'), foreign('')]).toEqual([
    true,
    true,
    true,
    true,
  ])
  expect([foreign(), foreign('none'), foreign('same-origin')]).toEqual([false, false, false])
})
