import { expect, test } from 'bun:test'
import { playPage } from './play.ts'

const page = (...lines: string[]) => `\`\`\`text conversation\n${lines.join('\n')}\n\`\`\`\n`
const connect = `$ wscat -c 'ws://127.0.0.1:9100/?client_id=ada'`
const ping =
  '> {"version":"1.0","id":"arq_p","type":"command","room":"a","channel":"b","from":"ada","timestamp":"2026-01-01T00:00:00Z","payload":{"name":"ping"}}'

test('a page that shows what happens passes', async () => {
  const pong = '< {"payload": {"request_id": "arq_p", "status": "success", …}, …}'
  await playPage(page(connect, '< {"payload": {"event": "welcome", …}, …}', ping, pong))
})

test('a page that shows another frame than the one received fails with its line number', async () => {
  const wrong = page(
    connect,
    '< {"payload": {"event": "welcome", …}, …}',
    ping,
    '< {"payload": {"status": "error", …}, …}',
  )
  await expect(playPage(wrong)).rejects.toThrow('line 5: /payload/status: "success" in place of "error"')
})

test('a page that omits a frame fails', async () => {
  await expect(playPage(page(connect, ping, '< {"payload": {"request_id": "arq_p", …}, …}'))).rejects.toThrow('line 4')
})

test('a page that omits the end of a connection fails', async () => {
  const refused = page(
    `$ wscat -c 'ws://127.0.0.1:9100/?client_type=robot'`,
    '< {"payload": {"error": {"code": "invalid_parameters", …}, …}, …}',
    '< {"payload": {"event": "welcome", …}, …}',
  )
  await expect(playPage(refused)).rejects.toThrow('line 4: the connection ended with 4400')
})

test('a page that shows a span differently fails with its line number', async () => {
  const traced = page(connect, '< {"payload": {"event": "welcome", …}, …}', ping, '< {…}').replace(
    'conversation',
    'conversation OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318 OTEL_BSP_SCHEDULE_DELAY=1',
  )
  const span = (kind: number) => `\`\`\`json span\n{"name": "command ping", "kind": ${kind}, …}\n\`\`\`\n`
  await playPage(traced + span(2))
  await expect(playPage(traced + span(2) + span(3))).rejects.toThrow('line 10: /kind: 2 in place of 3')
})

test('the settings of a block apply to its server', async () => {
  const settings = page(connect, '< {"payload": {"limits": {"max_depth": 9, …}, …}, …}').replace(
    'conversation',
    'conversation ARQONBUS_MAX_DEPTH=9',
  )
  await playPage(settings)
})
