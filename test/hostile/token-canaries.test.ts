/** Tokens, and the secret that they are signed with, appear in nothing that the server says, whether accepted or refused. */
import { expect, setDefaultTimeout, test } from 'bun:test'
import { type ConnectOptions, connect, eventually, open, textOf } from '@arqonbus/testing'
import { startBusProcess } from '../support/bus-process.ts'
import { createCanary } from './support/canaries.ts'
import { AUDIENCE, hs256, ISSUER, mint, type TokenParts } from './support/tokens.ts'

setDefaultTimeout(120_000)

test('no token, accepted or refused, and no secret of tokens appears in a log, page, metric, reply or event', async () => {
  const canary = createCanary()
  const said = new Map<string, string>()
  const say = (sink: string, text: string) => void said.set(sink, `${said.get(sink) ?? ''}\n${text}`)
  const secret = canary.of('token secret that is long enough')
  const bus = await startBusProcess({
    settings: {
      ARQONBUS_AUTH: 'token',
      ARQONBUS_TOKEN_SECRET: secret,
      ARQONBUS_TOKEN_AUDIENCE: AUDIENCE,
      ARQONBUS_TOKEN_ISSUER: ISSUER,
      ARQONBUS_AUTH_FAILURE_RATE: 'off',
      ARQONBUS_AUTH_TIMEOUT: '100ms',
      ARQONBUS_LOG_LEVEL: 'debug',
    },
  })
  const tokenOf = (name: string, parts: TokenParts = {}) => {
    const token = mint({
      sign: hs256(secret),
      ...parts,
      claims: { private: canary.of(`${name} claim`), ...parts.claims },
    })
    canary.add(`${name} token`, token)
    return token
  }
  const now = Math.floor(Date.now() / 1000)
  const all = { permissions: { '*:*': ['join', 'publish', 'history', 'create'] } }
  const right = (sub: string) => tokenOf('right', { claims: { sub, arqonbus: all } })
  const wrong = () => [
    tokenOf('expired', { claims: { iat: now - 600, exp: now - 300 } }),
    tokenOf('unsigned', { header: { alg: 'none' }, sign: () => '' }),
    tokenOf('forged', { sign: hs256(canary.of('other secret')) }),
    tokenOf('of another audience', { claims: { aud: canary.of('audience') } }),
    tokenOf('of another issuer', { claims: { iss: canary.of('issuer') } }),
    tokenOf('with a wrong role', { claims: { arqonbus: { role: `${canary.of('role')} !` } } }),
    tokenOf('with wrong grants', { claims: { arqonbus: { permissions: { [canary.of('pattern')]: ['all'] } } } }),
    tokenOf('with an unknown claim', { claims: { arqonbus: { [canary.of('name')]: 1 } } }),
    tokenOf('with a wrong header', { header: { kid: canary.of('kid'), jku: `https://${canary.of('jku')}` } }),
    canary.of('malformed'),
    `${canary.of('malformed')}.${canary.of('malformed')}.${canary.of('malformed')}`,
  ]
  const ways = (token: string): ConnectOptions[] => [
    { headers: { Authorization: `Bearer ${token}` } },
    { protocols: ['arqonbus.v1', `arqonbus.token.${token}`] },
    { query: { token } },
  ]
  try {
    const [ada, wall] = await Promise.all([
      connect(bus.busUrl, ways(right('ada'))[0]),
      connect(bus.telemetryUrl, ways(right('wall'))[1]).catch(() => undefined),
    ])
    for (const url of [bus.busUrl, bus.telemetryUrl]) {
      for (const token of wrong()) {
        for (const way of ways(token)) {
          const opened = open(url, way)
          say('the first frame of a connection', textOf(await opened.next()))
          await opened.closed
        }
      }
    }
    for (const token of [right('bob'), ...wrong()]) {
      for (const path of ['/status', '/clients', '/nothing', `/status?token=${token}`]) {
        const response = await fetch(`${bus.httpUrl}/api/v1${path}`, { headers: { authorization: `Bearer ${token}` } })
        say('a response', JSON.stringify([...response.headers]) + (await response.text()))
      }
      ada.send({ type: 'command', payload: { name: 'authenticate', parameters: { token } } })
    }
    ada.send({ type: 'command', payload: { name: 'authenticate', parameters: { token: { x: canary.of('shape') } } } })
    ada.send({ type: 'command', payload: { name: 'status', parameters: { token: canary.of('parameter') } } })
    await eventually(() => expect(ada.frames.length).toBeGreaterThan(12))
    for (const frame of ada.frames) say('a reply', textOf(frame))
    for (const frame of wall?.frames ?? []) say('telemetry', textOf(frame))
    for (const path of ['/metrics', '/health', '/ready', '/console/config.json'])
      say(`GET ${path}`, await (await fetch(bus.httpUrl + path)).text())
    const late = open(bus.busUrl, {})
    await late.closed
    for (const frame of late.frames) say('the first frame of a connection', textOf(frame))
  } finally {
    await bus.stop()
  }
  say('the log', bus.output())
  expect(bus.output()).toContain('authentication_failed')
  expect(canary.size).toBeGreaterThan(60)
  const leaks = [...said].flatMap(([sink, text]) => canary.leaksIn(sink, text))
  expect(leaks).toEqual([])
})
