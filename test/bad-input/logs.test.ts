/** Clients cannot forge a log line, flood the log, or put private data into it. */
import { expect, test } from 'bun:test'
import { connect, dial, eventually, open, openRaw, refusal } from '@arqonbus/testing'
import { startMeasuredBus } from './support/measured-bus.ts'
import { expectServed } from './support/served.ts'

const ADMIN_KEY = 'admin-key-that-is-secret'
const bus = await startMeasuredBus({
  ARQONBUS_ADMIN_KEY: ADMIN_KEY,
  ARQONBUS_RATE_LIMIT: 'off',
  ARQONBUS_LOG_LEVEL: 'debug',
})

const lines = () =>
  bus
    .output()
    .split('\n')
    .filter((line) => line !== '')
const entries = () => lines().map((line) => JSON.parse(line) as Record<string, unknown>)

/** Ends a line, begins another one, moves the cursor, and changes the text direction. */
const FORGED = 'forged"}\n{"level":"info","event":"pwned","client_id":"ada"}\r\n\u001b[2J\u2028\u202e\u0085\u0000'
const encoded = encodeURIComponent(FORGED)
const header = FORGED.replace(/[^\x20-\x7e]/g, ' ')
/** The worst text that a profile may contain. */
const allowed = '"},{"event":"pwned"} \u202e\ufeff\\n\ud83d'

/** Sends the text in every place where a client can send one. */
async function sayEverywhere(): Promise<void> {
  const queries = [
    'client_id',
    'client_type',
    'screen_name',
    'avatar',
    'personality',
    'join',
    'echo',
    'resume',
    'token',
    encoded,
  ]
  for (const name of queries) await open(`${bus.busUrl}?${name}=${encoded}`).closed
  for (const headers of [
    { Origin: header },
    { Host: header },
    { 'Sec-WebSocket-Protocol': header },
    { 'User-Agent': header },
    { Upgrade: header },
  ]) {
    const raw = await openRaw(bus.busUrl, { headers })
    await raw.head()
    raw.destroy()
  }
  const inHeaders: Record<string, string>[] = [
    { Authorization: `Bearer ${header.replaceAll(' ', '')}` },
    { Authorization: header },
    { 'Arqonbus-Session': header },
  ]
  for (const headers of inHeaders) {
    const opened = open(bus.busUrl, { headers })
    await opened.next()
    opened.socket.close()
    await opened.closed
  }
  for (const url of [`${bus.httpUrl}/${encoded}`, `${bus.httpUrl}/health?${encoded}`]) await fetch(url)
  const http = await dial(bus.httpUrl)
  http.write(`GET /${header.replaceAll(' ', '')} HTTP/1.1\r\nHost: ${header}\r\n\r\n`)
  await http.head()
  http.destroy()

  const eve = await bus.connect({ query: { client_id: 'eve', screen_name: allowed, join: 'science:explore' } })
  const refused = async (attempt: Promise<unknown>) => void (await refusal(attempt))
  await eve.command('update_profile', { screen_name: allowed, avatar: allowed, personality: allowed })
  await eve.publish({
    room: 'science',
    channel: 'explore',
    payload: { text: 'payload-that-is-private', more: FORGED },
    metadata: { key: allowed, note: FORGED },
  })
  await eve.publish({
    type: 'private',
    channel: 'pm',
    payload: { text: 'payload-that-is-private' },
    metadata: { to: 'eve' },
  })
  await eve.command('create_channel', {
    room: 'configured',
    channel: 'one',
    metadata: { [FORGED]: FORGED },
    room_config: { [FORGED]: FORGED },
  })
  await refused(eve.command(FORGED as never))
  await refused(eve.command('ping', { [FORGED]: FORGED } as never))
  await refused(eve.command('join_channel', { channel: FORGED }))
  await refused(eve.command('pause_room', { room: 'science', admin_key: `wrong-${FORGED}` }))
  await eve.command('pause_room', { room: 'science', admin_key: ADMIN_KEY })
  await refused(
    eve.publish({
      type: 'telemetry',
      room: 'integriguard',
      channel: 'telemetry-stream',
      payload: { eventType: FORGED },
    }),
  )
  await eve.publish({
    type: 'telemetry',
    room: 'integriguard',
    channel: 'telemetry-stream',
    payload: { eventType: 'forged', payload: { text: FORGED } },
  })
  for (const text of [
    FORGED,
    JSON.stringify({ [FORGED]: FORGED }),
    JSON.stringify({ version: FORGED, id: FORGED, from: FORGED }),
  ])
    eve.raw(text)
  await eve.everything()
  const reason = `reason ${allowed}`.slice(0, 100)
  eve.send({
    type: 'command',
    payload: { name: 'disconnect_client', parameters: { client_id: 'eve', reason, admin_key: ADMIN_KEY } },
  })
  expect((await eve.closed).code).toBe(4411)
  secrets.push(eve.welcome.session)
}

const secrets = [ADMIN_KEY, 'payload-that-is-private']

test('clients cannot forge a log line, and no line contains a payload or a secret', async () => {
  const before = lines().length
  await sayEverywhere()
  await expectServed(bus)
  await eventually(() => expect(lines().length).toBeGreaterThan(before + 30))
  for (const entry of entries()) {
    expect(entry).toMatchObject({ event: expect.stringMatching(/^[a-z][a-z_]*$/) })
    expect(entry.event).not.toBe('pwned')
    if (entry.event !== 'collected')
      expect(entry).toMatchObject({
        level: expect.stringMatching(/^(debug|info|warn|error)$/),
        time: expect.any(String),
      })
    if (entry.client_id !== undefined) expect(entry.client_id).toMatch(/^[A-Za-z0-9][A-Za-z0-9_.@-]{0,127}$/)
  }
  const written = bus.output()
  expect(written).not.toMatch(/[^\x20-\x7e\n]/)
  expect(written).not.toMatch(/pwned/)
  for (const secret of secrets) expect(written).not.toContain(secret)
  expect(entries().some((entry) => entry.level === 'error')).toBe(false)
})

test('a flood of refusals leaves a bounded number of log lines, which say how many were suppressed', async () => {
  const before = lines().length
  const eve = await connect(bus.busUrl, { query: { client_id: 'flooding' } })
  for (let i = 0; i < 3000; i++) eve.send({ type: 'command', payload: { name: 'nonsense' } })
  await eve.command('ping')
  await eve.close()
  await eventually(() => {
    const suppressed = entries().filter((entry) => entry.event === 'command_refused' && entry.suppressed !== undefined)
    expect(suppressed.length).toBeGreaterThan(0)
  })
  expect(lines().length - before).toBeLessThan(1000)
})
