/** The values of labels: fixed tables, so that nothing a client sends can add one. */
import { SUMMARY_EVENT, telemetryEvents } from '@arqonbus/protocol'

/**
 * Outcomes of an append: the log has the message now, it had it, it is queued until the outage ends, or it is refused.
 */
export const appendOutcomes = ['appended', 'duplicate', 'queued', 'refused'] as const

/** Outcomes of a recovery: everything that was missed, or why not (docs/protocol.md#history-and-recovery). */
export const recoveryOutcomes = ['recovered', 'trimmed', 'reset', 'diverged', 'too_far', 'forbidden'] as const

/** Reasons of gaps in a log (docs/protocol.md#positions-and-gaps). */
export const breakReasons = ['trimmed', 'reset', 'lost'] as const

/** Outcomes of an attempt to connect to Redis. */
export const connectOutcomes = ['ready', 'failed'] as const

/** What the events of telemetry are counted by: the types of the bus, and `other` for those of clients. */
export const telemetryTypes = [...Object.keys(telemetryEvents), SUMMARY_EVENT, 'other']

/**
 * Why a telemetry event is not sent: too many of its type wait, or the bus shuts down while too many wait, so that it is
 * part of a summary; or its subscriber is slow.
 */
export const telemetryDropReasons = ['queue_full', 'shutdown', 'slow'] as const

/**
 * Outcomes of a request to a receiver of webhooks: 2xx; 4xx; another status, a timeout or no connection; an address
 * that is not allowed; or 410, after which it gets no more.
 */
export const webhookOutcomes = ['accepted', 'refused', 'failed', 'address_not_allowed', 'gone'] as const

/**
 * Why an event is not delivered to a webhook: its queue is full, the receiver refuses it again and again, it is gone
 * (410) or not configured any more, or the server ends.
 */
export const webhookDropReasons = ['queue_full', 'refused', 'gone', 'removed', 'shutdown'] as const

/** Why an event is not delivered to a webhook. */
export type WebhookDropReason = (typeof webhookDropReasons)[number]

/**
 * Why a message leaves the history: its log is full, it is too old, all logs together are too large, or its channel was
 * deleted.
 */
export const expiryReasons = ['length', 'age', 'bytes', 'deleted'] as const

/** Why a message leaves the history. */
export type ExpiryReason = (typeof expiryReasons)[number]

/** Why a connection is refused, before or after the upgrade. */
export const refusalReasons = [
  'full',
  'open_files',
  'url_length',
  'address_full',
  'proxy_protocol',
  'host',
  'origin',
  'bad_request',
  'bad_parameter',
  'unauthenticated',
  'forbidden',
  'client_id_in_use',
  'storage_unavailable',
  'forbidden_id',
  'auth_unavailable',
  'auth_failures',
  'pending_full',
  'subject_full',
  'rate',
  'draining',
] as const

/** Why a connection is refused. */
export type RefusalReason = (typeof refusalReasons)[number]

/** Why a token is refused. */
export const authFailureReasons = [
  'missing',
  'malformed',
  'too_long',
  'type',
  'algorithm',
  'header',
  'key',
  'signature',
  'expired',
  'not_yet',
  'life',
  'audience',
  'issuer',
  'claims',
  'revoked',
  'denied',
  'ticket',
  'no_frame',
] as const

/** Why a token is refused. */
export type AuthFailureReason = (typeof authFailureReasons)[number]

/** Limits that a client can run into. */
export const limitNames = [
  'connections',
  'connections_per_address',
  'connection_rate',
  'message_bytes',
  'depth',
  'message_rate',
  'address_rate',
  'command_rate',
  'rooms',
  'rooms_per_client',
  'rooms_per_address',
  'channels',
  'channels_per_client',
  'channels_per_address',
  'metadata_bytes',
  'participants',
  'room_participants',
  'subscriptions',
  'subscriptions_total',
  'dedup_bytes',
  'queued_bytes',
  'fanout_bytes',
  'send_buffer_bytes',
  'sampled_keys',
  'sampled_bytes',
  'snapshot_messages',
  'presence_rate',
  'presence_bytes',
  'telemetry_connections',
  'telemetry_connections_per_address',
  'api_requests',
  'api_requests_per_address',
  'http_body_bytes',
  'http_body_bytes_per_address',
  'api_streams',
  'api_streams_per_address',
  'stream_channels',
  'batch_messages',
  'api_rate',
  'open_files',
  'url_length',
  'http_rate',
  'http_pipeline',
  'auth_failures',
  'pending_connections',
  'pending_connections_per_address',
  'connections_per_subject',
  'revocations',
  'stream_tickets',
  'callouts',
  'reply_rights',
] as const

/** A limit that a client can run into. */
export type LimitName = (typeof limitNames)[number]

/**
 * Limits whose configured value is served: those above, and those that refuse no request. Each is named for what it
 * counts.
 */
export const configuredLimits = [
  ...limitNames,
  'sessions',
  'session_bytes',
  'history_bytes',
  'channel_bytes',
  'inbox_bytes',
  'redis_queue_bytes',
  'send_buffer_soft_limit',
  'send_buffer_hard_limit',
  'telemetry_events_per_second',
  'telemetry_waiting',
  'webhook_queue_events',
  'webhook_queue_bytes',
  'memory_bytes',
] as const

/** A limit whose value is served. */
export type ConfiguredLimit = (typeof configuredLimits)[number]

/** The statuses of a bus. */
export const statuses = ['ok', 'degraded', 'draining'] as const

/** The status of a bus. */
export type Status = (typeof statuses)[number]

/** The log drivers. */
export const storageDrivers = ['memory', 'redis'] as const

/** The name of a log driver. */
export type StorageDriver = (typeof storageDrivers)[number]

/** What is kept for clients, or waits for them, in bytes. */
export const keptKinds = [
  'history',
  'inboxes',
  'dedup',
  'metadata',
  'sessions',
  'subscriptions',
  'queued',
  'send_buffers',
  'fanout',
] as const

/** What is kept for clients, or waits for them. */
export type KeptKind = (typeof keptKinds)[number]
