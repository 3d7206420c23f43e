import { expect, test } from 'bun:test'
import { loadConfig } from './load.ts'
import { configText } from './report.ts'
import { tracesUrl } from './traces.ts'

const ENDPOINT = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4318' }

const load = (env: Record<string, string>, flags: Record<string, string> = {}, file?: string) =>
  loadConfig({ env, flags: file === undefined ? flags : { ...flags, config: 'a.toml' }, readFile: () => file ?? '' })

/** What is in force; the test fails where there are mistakes. */
function good(...input: Parameters<typeof load>) {
  const loaded = load(...input)
  if (loaded.mistakes) throw new Error(JSON.stringify(loaded.mistakes))
  return loaded
}

/** What is ignored of variables; the test fails where there are mistakes. */
const ignored = (env: Record<string, string>): string[] =>
  good(env).warnings.map(({ event, setting, advice }) => `${event} ${setting} ${advice}`)

test.each([
  ['no setting', {}, undefined],
  ['the endpoint', ENDPOINT, 'http://127.0.0.1:4318/v1/traces'],
  ['an endpoint with a path', { OTEL_EXPORTER_OTLP_ENDPOINT: 'https://a.b/otlp/' }, 'https://a.b/otlp/v1/traces'],
  [
    'the endpoint of traces, unchanged',
    { ...ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://a/b/' },
    'http://a/b/',
  ],
  ['an empty endpoint', { OTEL_EXPORTER_OTLP_ENDPOINT: '' }, undefined],
  ['no exporter', { ...ENDPOINT, OTEL_TRACES_EXPORTER: 'none' }, undefined],
  ['a disabled SDK', { ...ENDPOINT, OTEL_SDK_DISABLED: 'true' }, undefined],
])('the URL for traces follows from %s', (_, env, url) => {
  expect(tracesUrl(good(env as Record<string, string>).config)).toBe(url)
})

test('the standard OpenTelemetry variables have their standard names and also work in the file and as flags', () => {
  const { config, origins } = good(
    {
      ...ENDPOINT,
      OTEL_EXPORTER_OTLP_HEADERS: 'api-key=a%2Cb, x-team = lab=1',
      OTEL_RESOURCE_ATTRIBUTES: 'service.name=lab,note=gr%C3%BC%C3%9Fe',
      OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
      OTEL_TRACES_SAMPLER_ARG: '0.25',
      OTEL_BSP_SCHEDULE_DELAY: '200',
    },
    { 'otel-service-name': 'bus' },
    'otel_exporter_otlp_timeout = 2000\notel_traces_sampler_arg = 1\n',
  )
  expect([...config.otelExporterOtlpHeaders!]).toEqual([
    ['api-key', 'a,b'],
    ['x-team', 'lab=1'],
  ])
  expect([...config.otelResourceAttributes!]).toEqual([
    ['service.name', 'lab'],
    ['note', 'grüße'],
  ])
  expect(config).toMatchObject({
    otelTracesSampler: 'parentbased_traceidratio',
    otelTracesSamplerArg: 0.25,
    otelBspScheduleDelay: 200,
    otelServiceName: 'bus',
    otelExporterOtlpTimeout: 2000,
  })
  expect(origins.otelExporterOtlpEndpoint).toEqual({ source: 'environment', name: 'OTEL_EXPORTER_OTLP_ENDPOINT' })
})

test('OpenTelemetry variables unknown to the server are ignored', () => {
  expect(ignored({ OTEL_METRICS_EXPORTER: 'prometheus', OTEL_LOG_LEVEL: 'debug', OTEL_TRACES_SAMPLE: '1' })).toEqual([])
})

test.each([
  ['OTEL_EXPORTER_OTLP_ENDPOINT=127.0.0.1:4318', /must be a URL such as http:\/\/127\.0\.0\.1:4318, .* but is "127/],
  ['OTEL_EXPORTER_OTLP_ENDPOINT=grpc://a:4317', /must be a URL/],
  ['OTEL_EXPORTER_OTLP_ENDPOINT=http://a/?key=1', /must be a URL/],
  ['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://ann:hunter2@a', /_ENDPOINT must name no user and no password/],
  ['OTEL_EXPORTER_OTLP_HEADERS=hunter2', /must be headers as key=value, .* but is not; ignored$/],
  ['OTEL_EXPORTER_OTLP_HEADERS=a b=hunter2', /must be headers/],
  ['OTEL_EXPORTER_OTLP_HEADERS=a=hunter2%0d%0ab', /must be headers/],
  ['OTEL_EXPORTER_OTLP_TRACES_HEADERS=a=hunter2%', /must be headers/],
  ['OTEL_RESOURCE_ATTRIBUTES=a=1,=2', /must be attributes as key=value/],
  ['OTEL_RESOURCE_ATTRIBUTES=a', /must be attributes as key=value/],
  ['OTEL_TRACES_SAMPLER=jaeger_remote', /must be one of always_on, .*, but is "jaeger_remote"/],
  ['OTEL_TRACES_SAMPLER_ARG=25%', /must be a number from 0 to 1, but is "25%"/],
  ['OTEL_TRACES_SAMPLER_ARG=1.5', /must be a number from 0 to 1/],
  ['OTEL_TRACES_EXPORTER=zipkin', /must be one of otlp, none/],
  ['OTEL_EXPORTER_OTLP_TIMEOUT=10s', /must be a whole number/],
  ['OTEL_BSP_MAX_QUEUE_SIZE=100', /must be at most OTEL_BSP_MAX_QUEUE_SIZE \(100\), but is 512/],
  ['OTEL_EXPORTER_OTLP_PROTOCOL=grpc', /must be http\/json where traces are on, but is grpc/],
  ['OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=http/protobuf', /must be http\/json where traces are on, but is http\/protobuf/],
  ['OTEL_TRACES_SAMPLER_ARG=0.1', /has no effect while OTEL_TRACES_SAMPLER is parentbased_always_on: set that/],
  ['OTEL_SDK_DISABLED=1', /must be true or false, but is "1"/],
  ['OTEL_EXPORTER_OTLP_PROTOCOL=http/xml', /must be one of http\/json, http\/protobuf, grpc, but is "http\/xml"/],
])(
  'an OpenTelemetry value that is invalid or not supported is ignored, and the warning says why: %s',
  (variable, why) => {
    const at = variable.indexOf('=')
    const env = { ...ENDPOINT, [variable.slice(0, at)]: variable.slice(at + 1) }
    const found = ignored(env)
    expect(found).toEqual([expect.stringMatching(why)])
    expect(found[0]).toStartWith(`setting_ignored ${variable.slice(0, at)} `)
    expect(found[0]).toEndWith('; ignored')
    expect(found[0]).not.toContain('hunter2')
    const isEndpoint = variable.startsWith('OTEL_EXPORTER_OTLP_ENDPOINT')
    expect(good(env).config).toEqual(good(isEndpoint ? {} : ENDPOINT).config)
  },
)

test('settings of OpenTelemetry that contradict each other are ignored until they no longer do', () => {
  const env = { ...ENDPOINT, OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '300', OTEL_BSP_MAX_QUEUE_SIZE: '200' }
  expect(ignored(env).map((line) => line.split(' ')[1])).toEqual([
    'OTEL_BSP_MAX_EXPORT_BATCH_SIZE',
    'OTEL_BSP_MAX_QUEUE_SIZE',
  ])
  expect(good(env).config).toEqual(good(ENDPOINT).config)
})

test('an OpenTelemetry setting that is invalid as a flag or in the file is a mistake', () => {
  expect(load({}, { 'otel-traces-sampler': 'x' }).mistakes).toHaveLength(1)
  expect(load({ ...ENDPOINT }, {}, 'otel_exporter_otlp_protocol = "grpc"\n').mistakes).toHaveLength(1)
})

test('empty OpenTelemetry variables count as not set, words are read in any case, and only true disables', () => {
  const empty = Object.fromEntries(
    ['SDK_DISABLED', 'TRACES_SAMPLER', 'TRACES_SAMPLER_ARG', 'BSP_SCHEDULE_DELAY'].map((name) => [`OTEL_${name}`, '']),
  )
  expect(good({ ...ENDPOINT, ...empty })).toEqual(good(ENDPOINT))
  expect(good({ OTEL_TRACES_SAMPLER: 'Always_OFF' }).config.otelTracesSampler).toBe('always_off')
  expect(good({ OTEL_SDK_DISABLED: 'True' }).config.otelSdkDisabled).toBe(true)
})

test('unsupported OpenTelemetry settings are no matter without traces or with a protocol of their own for traces', () => {
  expect(ignored({ OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc', OTEL_TRACES_SAMPLER_ARG: '0.1' })).toEqual([])
  const both = { OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc', OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'http/json' }
  expect(ignored({ ...ENDPOINT, ...both })).toEqual([])
})

test('the printed trace configuration yields the same configuration, without the headers', () => {
  const headers = { OTEL_EXPORTER_OTLP_HEADERS: 'api-key=hunter2' }
  const attributes = { OTEL_RESOURCE_ATTRIBUTES: 'a=b%2Cc,d=%22e%22' }
  const text = configText(good({ ...ENDPOINT, ...headers, ...attributes }))
  expect(text).toMatch(/^otel_exporter_otlp_headers = "\*\*\*" +# environment: OTEL_EXPORTER_OTLP_HEADERS$/m)
  expect(text).toMatch(/^# otel_service_name is not set +# default$/m)
  expect(text).not.toContain('hunter2')
  const again = good({}, {}, text.replace(/^otel_exporter_otlp_headers.*$/m, ''))
  expect(again.config).toEqual(good({ ...ENDPOINT, ...attributes }).config)
})
