/** Every way in which a client can send a secret to the wrong place, or a right place with something else wrong. */
import { dial, isMessage, open, openRaw, type TestClient, textOf } from '@arqonbus/testing'
import { caller, messagesOf } from '../../api/call.ts'
import { commandNames } from '../../support/ask.ts'
import type { Canary } from './canaries.ts'

/** Takes what the server said. */
export type Say = (sink: string, text: string) => void

/** A bus that is attacked. */
type Where = { readonly busUrl: string; readonly telemetryUrl: string; readonly httpUrl: string }

/** Connects in every wrong way, with a secret in each place that a request has. */
export async function connectWrongly(bus: Where, { of }: Canary, say: Say): Promise<void> {
  const requests: [headers: Record<string, string | readonly string[] | undefined>, query?: string][] = [
    [{ Authorization: `Bearer ${of('bearer')}` }],
    [{ Authorization: `Bearer ${of('bearer')} ${of('bearer')}` }],
    [{ Authorization: `Basic ${Buffer.from(`user:${of('basic')}`).toString('base64')}` }],
    [{ Authorization: of('bearer') }],
    [{ Authorization: [`Bearer ${of('bearer')}`, `Bearer ${of('bearer')}`] }],
    [{ 'Sec-WebSocket-Protocol': `arqonbus.v1, arqonbus.token.${of('subprotocol')}` }],
    [{ 'Sec-WebSocket-Protocol': `graphql-ws, arqonbus.token.${of('subprotocol')}` }],
    [
      {
        'Sec-WebSocket-Protocol': `arqonbus.v1, arqonbus.token.${of('subprotocol')}, arqonbus.token.${of('subprotocol')}`,
      },
    ],
    [{ 'Sec-WebSocket-Protocol': `arqonbus.v1, arqonbus.session.${of('session')}` }],
    [{ 'Sec-WebSocket-Protocol': `arqonbus.v1, arqonbus.session.${of('session')}`, 'Arqonbus-Session': of('session') }],
    [{ 'Arqonbus-Session': of('session') }, 'client_id=ada'],
    [{ 'Arqonbus-Session': of('session') }, 'client_id=unknown-one'],
    [{}, `token=${of('query')}`],
    [{}, `token=${of('query')}&token=${of('query')}`],
    [{}, `access_token=${of('query')}`],
    [{}, `session=${of('query')}`],
    [{}, `client_type=${of('query')}`],
    [{}, `client_id=${of('query')}%20`],
    [{}, `join=${of('query')}`],
    [{}, `echo=${of('query')}&resume=${of('query')}`],
    [{ Cookie: `session=${of('cookie')}`, 'User-Agent': of('agent'), Referer: `https://x/${of('referer')}` }],
    [{ 'X-Api-Key': of('header'), 'Proxy-Authorization': `Bearer ${of('header')}` }],
    [{ Origin: `https://user:${of('origin')}@evil.example` }],
    [{ Origin: `https://evil.example/${of('origin')}` }],
    [{ Host: 'evil.example', Authorization: `Bearer ${of('bearer')}` }],
    [{ Upgrade: 'h2c', Authorization: `Bearer ${of('bearer')}` }],
    [{ Upgrade: undefined, Authorization: `Bearer ${of('bearer')}` }, `token=${of('query')}`],
    [{ 'Sec-WebSocket-Key': of('key'), 'Sec-WebSocket-Version': '8' }],
    [{ 'Sec-WebSocket-Key': of('key') }],
    [{ 'X-Forwarded-For': of('forwarded'), 'X-Forwarded-Host': of('forwarded') }],
  ]
  for (const url of [bus.busUrl, bus.telemetryUrl]) {
    for (const [headers, query = ''] of requests) {
      const raw = await openRaw(url, { headers, target: `/?${query}` })
      const head = await raw.head()
      say('the head of a response to an upgrade', JSON.stringify([...head.headers]))
      if (head.status === 101) say('the first frame of a connection', JSON.stringify(await raw.nextJson()))
      else {
        await raw.ended
        say('the body of a response to an upgrade', raw.body())
      }
      raw.destroy()
    }
  }
}

/** Calls the HTTP port in every wrong way. */
export async function callWrongly({ httpUrl }: Where, { of }: Canary, say: Say): Promise<void> {
  const api = caller(httpUrl)
  const told = async (what: string, call: Promise<{ status: number; headers: Headers; body: unknown }>) => {
    const { status, headers, body } = await call
    say(what, JSON.stringify([status, [...headers], body]))
    return status
  }
  const path = messagesOf('science', 'explore')
  const callers: Record<string, string>[] = [
    { authorization: `Bearer ${of('http bearer')}` },
    { authorization: `Basic ${Buffer.from(of('http basic')).toString('base64')}` },
    { authorization: of('http bearer') },
    { 'arqonbus-session': of('http session'), 'arqonbus-client-id': 'ada' },
    { 'arqonbus-session': of('http session') },
    { 'arqonbus-client-id': `${of('http id')} !` },
    { cookie: of('http cookie'), 'x-api-key': of('http header'), origin: 'https://evil.example' },
  ]
  for (const headers of callers) {
    await told('a refused query', api('/status', { headers }))
    await told('a refused publish', api(path, { headers, body: `{"payload":{"text":"${of('http payload')}"}}` }))
    await told('a refused stream', api('/rooms/science/channels/explore/stream?type=nothing', { headers }))
  }
  const bodies = [
    `{"payload":"${of('http payload')}"}`,
    `{"payload":{},"token":"${of('http payload')}"}`,
    `{"payload":{},"type":"${of('http payload')}"}`,
    of('http payload'),
  ]
  for (const body of bodies)
    await told('a refused body', api(path, { body, headers: { 'idempotency-key': of('key') } }))
  for (const query of ['token', 'access_token', 'admin_key', 'session'])
    await told('a refused parameter', api(`/status?${query}=${of('http query')}`))
  for (const name of commandNames)
    await told(
      'a refused command',
      api('/command', { body: JSON.stringify({ name, parameters: { admin_key: of('http admin key'), nonsense: 1 } }) }),
    )
  for (const target of [
    `/${of('path')}`,
    `/api/v1/${of('path')}`,
    `/health?token=${of('path')}`,
    `/console/${of('path')}`,
    `http://user:${of('path')}@127.0.0.1/`,
  ]) {
    const raw = await dial(httpUrl)
    raw.write(`GET ${target} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nX-Secret: ${of('header')}\r\n\r\n`)
    say('the head of a response', JSON.stringify([...(await raw.head()).headers]))
    await raw.ended
    say('the body of a response', raw.body())
  }
}

/** Sends refused frames and commands, with a secret in each place that an envelope has. */
export async function sendWrongly(client: TestClient, adminKey: string, { of }: Canary, say: Say): Promise<void> {
  const parametersOf = (key: unknown) => [
    { admin_key: key },
    { admin_key: key, nonsense: true },
    { admin_key: { key } },
  ]
  for (const name of commandNames) {
    if (name === 'ping') continue
    for (const parameters of [...parametersOf(of('admin key')), { admin_key: adminKey, nonsense: of('parameter') }])
      client.send({ type: 'command', payload: { name, parameters } })
  }
  client.send({ type: 'command', payload: { name: 'status', admin_key: of('admin key') } })
  client.send({ type: 'command', payload: { name: 'status', parameters: { admin_key: adminKey, x: 1 } } })
  const fields = [
    { type: of('field') as never },
    { version: of('field') as never },
    { timestamp: of('field') },
    { from: of('field') },
    { room: `${of('field')} ` },
    { channel: `${of('field')} ` },
    { payload: of('field') as never },
    { metadata: { ack: of('field') } },
    { metadata: { ack: { level: of('field') } } },
    { metadata: { to: of('field') } },
    { metadata: { traceparent: of('field') } },
    { type: 'telemetry' as const, payload: { eventType: of('field').repeat(9), payload: {} } },
  ]
  for (const one of fields) client.send(one)
  for (const text of [of('text'), `{"token":"${of('text')}"`, `{"version":"${of('text')}"}`]) client.raw(text)
  client.raw(Buffer.from(of('binary')))
  for (const frame of await client.everything()) if (!isMessage(frame)) say('a reply', textOf(frame))
  // Names that do not exist are named to the client that sent them, and to nobody else.
  client.send({ type: 'command', payload: { name: of('command') } })
  client.raw(`{"version":"1.0","${of('member')}":1}`)
  await client.everything()
}

/** Publishes what is for others only: to a private channel, and in a private message. */
export async function publishPrivately(client: TestClient, { of }: Canary): Promise<void> {
  await client.command('create_channel', { channel: 'club:secret', type: 'private' })
  const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
  const payload = () => ({ text: of('private payload') })
  const metadata = () => ({ key: of('metadata'), note: of('metadata'), traceparent })
  await client.publish({ room: 'club', channel: 'secret', payload: payload(), metadata: metadata() })
  await client.publish({
    type: 'private',
    channel: 'pm',
    payload: payload(),
    metadata: { ...metadata(), to: client.id },
  })
  await client.everything()
}

/** Sends nothing but waits: what a connection gets that a secret has refused. */
export async function resumeWrongly({ busUrl }: Where, session: string, say: Say): Promise<void> {
  const ways: Parameters<typeof open>[1][] = [
    { query: { client_id: 'ada' }, headers: { 'Arqonbus-Session': session.slice(1) } },
    { query: { client_id: 'other' }, headers: { 'Arqonbus-Session': session } },
    { query: { client_id: 'ada' }, protocols: ['arqonbus.v1', `arqonbus.session.${session}x`] },
    { query: { client_id: 'ada', nonsense: '1' }, headers: { 'Arqonbus-Session': session } },
  ]
  for (const way of ways) {
    const opened = open(busUrl, way)
    say('the first frame of a connection', textOf(await opened.next()))
    opened.socket.close()
    await opened.closed
  }
}
