/** What must hold between settings. Each rule is checked only where its settings are right by themselves. */
import { authRules } from './auth-rules.ts'
import { namesOf } from './option.ts'
import { type Config, longestFrame, type OptionKey } from './options.ts'
import { durationText, sizeText } from './quantities.ts'
import { redisAddress as addressOf } from './redis-address.ts'
import type { Rule } from './rule.ts'
import { isLoopback } from './scalars.ts'
import { tracesUrl } from './traces.ts'

const name = (key: OptionKey): string => namesOf(key).variable.slice('ARQONBUS_'.length)

/** All rules. */
export const rules: readonly Rule[] = [
  onlyHere('host'),
  onlyHere('telemetryHost'),
  onlyHere('httpHost'),
  ...authRules,
  {
    keys: ['sendBufferHardLimit', 'maxMessageBytes'],
    broken({ sendBufferHardLimit, maxMessageBytes }) {
      const least = 4 * longestFrame(maxMessageBytes)
      if (sendBufferHardLimit >= least) return undefined
      return `${name('sendBufferHardLimit')} must be at least ${sizeText(least)}, four times the longest frame (the larger of 256KiB and ${name('maxMessageBytes')}), but is ${sizeText(sendBufferHardLimit)}: one long frame would cut a connection`
    },
  },
  {
    keys: ['sendBufferSoftLimit', 'sendBufferHardLimit'],
    broken({ sendBufferSoftLimit, sendBufferHardLimit }) {
      if (sendBufferSoftLimit < sendBufferHardLimit) return undefined
      return `${name('sendBufferSoftLimit')} must be less than ${name('sendBufferHardLimit')} (${sizeText(sendBufferHardLimit)}), but is ${sizeText(sendBufferSoftLimit)}: a slow client would be cut before it can catch up from the log`
    },
  },
  {
    keys: ['sendBufferHardLimit', 'sendBufferTotal'],
    broken({ sendBufferHardLimit, sendBufferTotal }) {
      if (sendBufferHardLimit <= sendBufferTotal) return undefined
      return `${name('sendBufferTotal')} must be at least ${name('sendBufferHardLimit')} (${sizeText(sendBufferHardLimit)}), but is ${sizeText(sendBufferTotal)}: one slow client would use up the buffers of all`
    },
  },
  ...(['httpBodyBytes', 'httpBodyBytesPerAddress'] as const).flatMap((most) =>
    (['apiBatchBytes', 'maxMessageBytes'] as const).map((longest) => ({
      keys: [most, longest],
      broken(config: Config) {
        if (config[longest] <= config[most]) return undefined
        return `${name(most)} must be at least ${name(longest)} (${sizeText(config[longest])}), but is ${sizeText(config[most])}: the longest body would always be refused`
      },
    })),
  ),
  {
    keys: ['pingIntervalMs', 'pingTimeoutMs'],
    broken({ pingIntervalMs, pingTimeoutMs }) {
      if (pingIntervalMs < pingTimeoutMs) return undefined
      return `${name('pingIntervalMs')} must be less than ${name('pingTimeoutMs')} (${durationText(pingTimeoutMs)}), but is ${durationText(pingIntervalMs)}: a quiet connection would be closed before it is pinged`
    },
  },
  {
    keys: ['proxyProtocol', 'trustedProxies'],
    broken({ proxyProtocol, trustedProxies }) {
      if (!proxyProtocol || trustedProxies.length > 0) return undefined
      return `needs ${name('trustedProxies')}: only a trusted proxy may say where a connection comes from, and now no connection would be taken`
    },
  },
  {
    keys: ['persist', 'redisUrl'],
    broken({ persist, redisUrl }) {
      if (redisUrl === undefined || persist.length > 0) return undefined
      return `${name('persist')} must name what Redis keeps: messages, rooms, channels or sessions. To keep nothing, leave out ${name('redisUrl')}`
    },
  },
  {
    keys: ['persist', 'redisUrl'],
    broken({ persist, redisUrl }) {
      const hasChannels = persist.includes('channels') || persist.includes('messages')
      if (redisUrl === undefined || !persist.includes('rooms') || hasChannels) return undefined
      return `rooms in ${name('persist')} needs channels or messages too: a room without channels is removed soon after a restart`
    },
  },
  {
    keys: ['redisReplicas', 'persist'],
    broken({ redisReplicas, persist }) {
      if (redisReplicas === 0 || persist.includes('messages')) return undefined
      return `${name('redisReplicas')} needs messages in ${name('persist')}: without them the log is in memory, and no replica has it`
    },
  },
  {
    keys: ['redisPassword', 'redisUrl'],
    broken({ redisPassword, redisUrl }) {
      if (redisPassword === undefined) return undefined
      if (redisUrl === undefined) return `needs ${name('redisUrl')}`
      if (addressOf(redisUrl).password === undefined) return undefined
      return `must not be set beside a password in ${name('redisUrl')}: leave out one of them`
    },
  },
  ...(['redisTlsCa', 'redisTlsCert', 'redisTlsKey'] as const).map((key) => ({
    keys: [key, 'redisUrl'] as const,
    broken({ [key]: path, redisUrl }: Config) {
      if (path === undefined || (redisUrl !== undefined && addressOf(redisUrl).tls)) return undefined
      return `needs a ${name('redisUrl')} that begins with rediss://: without TLS it has no effect`
    },
  })),
  together('redisTlsCert', 'redisTlsKey'),
  together('tlsCert', 'tlsKey'),
  {
    keys: ['tlsClientCa', 'tlsCert'],
    broken({ tlsClientCa, tlsCert }) {
      if (tlsClientCa === undefined || tlsCert !== undefined) return undefined
      return `needs ${name('tlsCert')} and ${name('tlsKey')}: without TLS no client shows a certificate`
    },
  },
  {
    keys: ['metricsHost', 'metricsPort'],
    broken({ metricsHost, metricsPort }) {
      if (metricsHost === undefined || metricsPort !== undefined) return undefined
      return `needs ${name('metricsPort')}: without it, metrics are on the HTTP port`
    },
  },
  {
    keys: ['webhooks', 'webhooksAllowPrivate'],
    broken({ webhooks, webhooksAllowPrivate }) {
      const at = webhooks.findIndex(({ url }) => url.startsWith('http:'))
      if (webhooksAllowPrivate || at < 0) return undefined
      return `webhooks[${at}].url must begin with https://: to allow http:// in a network that you trust, set ${name('webhooksAllowPrivate')}`
    },
  },
  distinct(['host', 'port'], ['telemetryHost', 'telemetryPort']),
  distinct(['host', 'port'], ['httpHost', 'httpPort']),
  distinct(['telemetryHost', 'telemetryPort'], ['httpHost', 'httpPort']),
  distinct(['host', 'port'], ['metricsHost', 'metricsPort']),
  distinct(['telemetryHost', 'telemetryPort'], ['metricsHost', 'metricsPort']),
  distinct(['httpHost', 'httpPort'], ['metricsHost', 'metricsPort']),
  {
    keys: ['otelExporterOtlpTracesProtocol', 'otelExporterOtlpProtocol'],
    broken(config) {
      const protocol = config.otelExporterOtlpTracesProtocol ?? config.otelExporterOtlpProtocol
      if (tracesUrl(config) === undefined || protocol === 'http/json') return undefined
      return `must be http/json where traces are on, but is ${protocol}: collectors take JSON on their HTTP port too (4318 by custom)`
    },
  },
  {
    keys: ['otelTracesSamplerArg', 'otelTracesSampler'],
    broken(config) {
      const { otelTracesSampler: sampler, otelTracesSamplerArg: arg } = config
      if (tracesUrl(config) === undefined || arg === undefined || sampler.endsWith('traceidratio')) return undefined
      return `has no effect while OTEL_TRACES_SAMPLER is ${sampler}: set that to parentbased_traceidratio, or leave this out`
    },
  },
  {
    keys: ['otelBspMaxExportBatchSize', 'otelBspMaxQueueSize'],
    broken({ otelBspMaxExportBatchSize: batch, otelBspMaxQueueSize: queue }) {
      if (batch <= queue) return undefined
      return `OTEL_BSP_MAX_EXPORT_BATCH_SIZE must be at most OTEL_BSP_MAX_QUEUE_SIZE (${queue}), but is ${batch}: the queue never holds a batch of that size`
    },
  },
]

/** Whoever reaches the server is a client of it: other machines do so only where that is wanted. */
function onlyHere(host: 'host' | 'telemetryHost' | 'httpHost'): Rule {
  return {
    keys: [host, 'allowAnonymous', 'auth', 'telemetry'],
    broken(config) {
      const isClosed = host === 'telemetryHost' && !config.telemetry
      if (isClosed || config.auth === 'token' || config.allowAnonymous || isLoopback(config[host])) return undefined
      return `${name(host)} (${config[host]}) is reachable from other machines, and anyone there could use the bus under any name: listen on 127.0.0.1, set ${name('auth')}=token, or set ${name('allowAnonymous')}=true where every machine that reaches it is trusted`
    },
  }
}

/** Two files that are of no use without each other. */
function together(one: 'redisTlsCert' | 'tlsCert', other: 'redisTlsKey' | 'tlsKey'): Rule {
  return {
    keys: [one, other],
    broken({ [one]: first, [other]: second }) {
      if ((first === undefined) === (second === undefined)) return undefined
      return `${name(one)} and ${name(other)} belong together: set both, or neither`
    },
  }
}

type Port = readonly [
  'host' | 'telemetryHost' | 'httpHost' | 'metricsHost',
  'port' | 'telemetryPort' | 'httpPort' | 'metricsPort',
]

/** Two servers cannot share a port, unless they are on different addresses. */
function distinct(one: Port, other: Port): Rule {
  const [host, port] = one
  const [otherHost, otherPort] = other
  return {
    keys: [otherPort, port, otherHost, host, 'telemetry'],
    broken(config) {
      const closed = !config.telemetry && (port === 'telemetryPort' || otherPort === 'telemetryPort')
      const same = config[port] !== 0 && config[port] === config[otherPort]
      if (closed || !same || !overlap(hostOf(config, host), hostOf(config, otherHost))) return undefined
      return `${name(port)} and ${name(otherPort)} must differ, but both are ${config[port]}`
    },
  }
}

const hostOf = (config: Config, key: Port[0]): string => config[key] ?? config.httpHost

const everywhere = ['0.0.0.0', '::']
const overlap = (one: string, other: string): boolean =>
  one === other || everywhere.includes(one) || everywhere.includes(other)
