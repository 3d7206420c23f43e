import { expect, test } from 'bun:test'
import { spawnSync } from 'node:child_process'
import { withProgram } from '@arqonbus/testing'
import { gauges, metricEntries } from './metric-table.ts'
import { createMetrics, type Metrics } from './metrics.ts'

/** Metrics with every gauge supplied and everything counted at least once. */
function busy(): Metrics {
  const metrics = createMetrics({ commands: ['ping', 'status'] })
  for (const name of Object.keys(gauges) as (keyof typeof gauges)[]) {
    const labelled: Record<string, number> = name === 'clients' ? { human: 2, 'ai-agent': 1 } : { one: 1, other: 0 }
    metrics.gauge(name, () => ('label' in gauges[name] ? labelled : 7))
  }
  metrics.received++
  metrics.delivered += 5
  metrics.reject('invalid_json', 'ann')
  metrics.command('ping', true, 0.0002)
  metrics.command('status', false, 0.2)
  metrics.routed(0.00003)
  metrics.limit('channels')
  metrics.refuseConnection('origin')
  metrics.expire('age', 3)
  metrics.appends.appended++
  metrics.recovery('recovered', 60)
  metrics.recovery('trimmed')
  metrics.broke('lost')
  metrics.closed('heartbeat_lost')
  metrics.storageConnect('failed')
  metrics.pinged(0.0003)
  metrics.loopLag(0.002)
  metrics.httpRequest('GET', '/health', 200)
  return metrics
}

/** The value of one series. */
const sample = async (metrics: Metrics, series: string) =>
  (await metrics.render())
    .split('\n')
    .find((line) => line.startsWith(`${series} `))
    ?.slice(series.length + 1)

test('metrics show what was counted', async () => {
  const metrics = busy()
  const expected = {
    arqonbus_messages_received_total: '1',
    arqonbus_messages_delivered_total: '5',
    'arqonbus_messages_rejected_total{code="invalid_json"}': '1',
    'arqonbus_messages_rejected_total{code="not_found"}': '0',
    'arqonbus_commands_total{command="ping",status="success"}': '1',
    'arqonbus_commands_total{command="status",status="error"}': '1',
    'arqonbus_command_duration_seconds_count{command="ping"}': '1',
    'arqonbus_routing_duration_seconds_bucket{le="0.00005"}': '1',
    'arqonbus_limits_hit_total{limit="channels"}': '1',
    'arqonbus_connections_refused_total{reason="origin"}': '1',
    'arqonbus_history_expired_total{reason="age"}': '3',
    'arqonbus_clients{client_type="ai-agent"}': '1',
    arqonbus_history_bytes: '7',
    'arqonbus_appends_total{outcome="appended"}': '1',
    'arqonbus_recoveries_total{outcome="recovered"}': '1',
    'arqonbus_recoveries_total{outcome="trimmed"}': '1',
    'arqonbus_recovery_missed_messages_bucket{le="50"}': '0',
    'arqonbus_recovery_missed_messages_bucket{le="100"}': '1',
    arqonbus_recovery_missed_messages_count: '1',
    'arqonbus_log_gaps_total{reason="lost"}': '1',
    'arqonbus_connections_closed_total{reason="heartbeat_lost"}': '1',
    'arqonbus_storage_connects_total{outcome="failed"}': '1',
    arqonbus_storage_ping_duration_seconds_count: '1',
    'arqonbus_http_requests_total{method="GET",route="/health",status="200"}': '1',
  }
  for (const [series, value] of Object.entries(expected))
    expect([series, await sample(metrics, series)]).toEqual([series, value])
})

test('a gauge is read when the metrics are requested', async () => {
  const metrics = createMetrics()
  let rooms = 1
  metrics.gauge('rooms', () => rooms)
  rooms = 2
  expect(await sample(metrics, 'arqonbus_rooms')).toBe('2')
})

test('an unknown command adds no series, whatever its name', async () => {
  const metrics = createMetrics({ commands: ['ping'] })
  const before = (await metrics.render()).split('\n').length
  for (let i = 0; i < 1000; i++) metrics.command(`x${i}"\n`, false, 0)
  expect((await metrics.render()).split('\n')).toHaveLength(before)
  expect(await sample(metrics, 'arqonbus_commands_total{command="unknown",status="error"}')).toBe('1000')
})

test('two servers count separately', async () => {
  const [one, other] = [createMetrics(), createMetrics()]
  one.received = 5
  expect(await sample(other, 'arqonbus_messages_received_total')).toBe('0')
})

test('the reference lists exactly the served metrics, all with the prefix of the bus', async () => {
  const served = [...(await busy().render()).matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(
    ([, name, type]) => `${name} ${type}`,
  )
  expect(served.sort()).toEqual(metricEntries.map(({ name, type }) => `${name} ${type}`).sort())
  for (const { name } of metricEntries) expect(name).toStartWith('arqonbus_')
})

withProgram('promtool', 'metrics for promtool', (promtool) => {
  test('the metrics are valid for promtool', async () => {
    const { status, stdout, stderr } = spawnSync(promtool, ['check', 'metrics'], { input: await busy().render() })
    expect(`${stdout}${stderr}`).toBe('')
    expect(status).toBe(0)
  })
})
