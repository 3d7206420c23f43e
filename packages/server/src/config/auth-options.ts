/** The settings of authentication (docs/protocol.md#authentication). */
import { claimName, claimText, passedHeader, safeUrl } from './auth-kinds.ts'
import { kind } from './kind.ts'
import { inGroup, option, optional } from './option.ts'
import { duration, integer, type Rate, rate } from './quantities.ts'
import { choice, file, list, secret } from './scalars.ts'

/** Signature algorithms of tokens. */
export const tokenAlgorithms = ['HS256', 'RS256', 'ES256', 'EdDSA'] as const

/** A signature algorithm of tokens. */
export type TokenAlgorithm = (typeof tokenAlgorithms)[number]

/** Its name, in whatever case. */
const algorithm = kind('algorithm', `one of ${tokenAlgorithms.join(', ')}`, (raw) =>
  tokenAlgorithms.find((one) => typeof raw === 'string' && one.toLowerCase() === raw.trim().toLowerCase()),
)

const failureRate: Rate = { perSecond: 2, burst: 100 }

/** Their part of the table. */
export const authOptions = inGroup('Access', {
  auth: option(choice(['none', 'token']), {
    default: 'none',
    text: 'Who may connect and call: every client under the id that it names (`none`), or clients with a token only (`token`).',
  }),
  tokenSecret: optional(secret, {
    secret: true,
    text: 'The secret of tokens that are signed with HS256, at least 32 bytes.',
  }),
  tokenKeys: optional(file, {
    text: 'A file with public keys (PEM), one or several: of tokens that are signed with RS256, ES256 or EdDSA.',
  }),
  tokenJwksUrl: optional(safeUrl, {
    text: 'The URL of a JSON Web Key Set with such keys: https, or http on this machine.',
  }),
  tokenJwksRefreshMs: option(duration({ min: '1s', max: '24h' }), {
    default: 300_000,
    text: 'How often the key set is fetched. A token with an unknown `kid` fetches it earlier, once in 30 s at most. While it cannot be fetched, the last keys stay.',
  }),
  tokenAlgorithms: option(list(algorithm, tokenAlgorithms.join(', ')), {
    default: [],
    text: 'Algorithms that tokens may be signed with; `none` for those of the configured keys.',
  }),
  tokenAudience: option(list(claimText, 'audiences'), {
    default: [],
    text: 'Values of the claim `aud`, one of which a token must have. Required where tokens are verified by keys.',
  }),
  tokenIssuer: option(list(claimText, 'issuers'), {
    default: [],
    text: 'Values of the claim `iss`, one of which a token must have; `none` for any.',
  }),
  tokenMaxLifeMs: option(duration({ min: '1s', max: '3650d' }), {
    default: 86_400_000,
    text: 'The longest time from `iat` to `exp` of a token.',
  }),
  tokenLeewayMs: option(duration({ min: '0s', max: '60s' }), {
    default: 5000,
    text: 'How far the clocks of the issuer and of this server may differ.',
  }),
  tokenClaims: option(list(claimName, 'claim=name'), {
    default: [],
    text: 'Names of claims where they are not the usual ones: `sub=user_id,role=https://example.org/role`. A claim of `arqonbus` with another name stands beside it.',
  }),
  tokenExpiryNoticeMs: option(duration({ min: '1s', max: '1h' }), {
    default: 60_000,
    text: 'How long before its token expires a connection is notified, or at half of the time that is left where that is later.',
  }),
  authTimeoutMs: option(duration({ min: '100ms', max: '1m' }), {
    default: 5000,
    text: 'How long a connection without a token may take to send `authenticate`; then it is closed with 4401.',
  }),
  maxPendingConnections: option(integer({ min: 1, max: 1_000_000 }), {
    default: 1000,
    text: 'Maximum connections that have yet to send `authenticate`; more are closed with 1013.',
  }),
  maxPendingConnectionsPerAddress: option(integer({ min: 1, max: 1_000_000 }), {
    default: 200,
    text: 'Those from one address.',
  }),
  maxConnectionsPerSubject: option(integer({ min: 1, max: 1_000_000 }), {
    default: 100,
    text: 'Maximum connections and event streams of one subject; more are refused. The claim `limits` of a token may lower it.',
  }),
  authFailureRate: option(rate, {
    default: failureRate,
    text: 'Failed authentications of one address; above it, its connections and calls are refused with 429 before they are authenticated. Tokens that have expired do not count.',
  }),
  maxRevocations: option(integer({ min: 1, max: 10_000_000 }), {
    default: 100_000,
    text: 'Maximum revocations that are remembered, each for as long as a token may live.',
  }),
  maxStreamTickets: option(integer({ min: 1, max: 1_000_000 }), {
    default: 10_000,
    text: 'Maximum tickets for event streams that are not used yet.',
  }),
  authUrl: optional(safeUrl, {
    text: 'The URL of your backend that decides about each connection and call, beside tokens or in place of them: https, or http on this machine.',
  }),
  authUrlSecret: optional(secret, { secret: true, text: 'The secret that these requests are signed with.' }),
  authUrlHeaders: option(list(passedHeader, 'names of headers'), {
    default: [],
    text: 'Headers of a client that the backend gets, such as `cookie`.',
  }),
  authUrlTimeoutMs: option(duration({ min: '10ms', max: '10s' }), {
    default: 1000,
    text: 'How long the backend may take to reply. A request that fails is repeated once.',
  }),
  authUrlRequests: option(integer({ min: 1, max: 10_000 }), {
    default: 64,
    text: 'Maximum requests to the backend at once. Ten times as many wait; more are refused temporarily.',
  }),
  authUrlCacheMs: option(duration({ min: '0s', max: '60s' }), {
    default: 10_000,
    text: 'How long a decision of the backend serves for the same request.',
  }),
})
