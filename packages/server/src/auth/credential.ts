/** Credentials: what was verified of a token, for as long as a connection lives by it. */
import type { ClientType } from '@arqonbus/protocol'

/** What a token says about its client, as others see it. */
export type TokenProfile = {
  readonly clientType: ClientType
  readonly screenName?: string
  readonly avatar?: string
  readonly personality?: string
}

/** A verified token. Times are wall time in milliseconds. */
export type Credential = {
  /** Who acts and, where that is another, for whom: revoking either ends it. */
  readonly subjects: readonly string[]
  /** The `jti`; undefined where it has none. */
  readonly tokenId: string | undefined
  readonly issuedAt: number
  readonly expiresAt: number
  /** What it says about the client: no command changes that. */
  readonly profile: TokenProfile
  /** Connections that its subject may have; undefined where the setting alone decides. */
  readonly maxConnections: number | undefined
}
