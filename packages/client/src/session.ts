import type { Welcome } from '@arqonbus/protocol'
import type { ClientOptions } from './options.ts'

/** The session of a client, as the last welcome describes it; until the first one, as the options do. */
export class Session {
  welcome: Welcome | undefined
  readonly #options: Pick<ClientOptions, 'clientId' | 'session'>

  constructor(options: Pick<ClientOptions, 'clientId' | 'session'>) {
    this.#options = options
  }

  get clientId(): string | undefined {
    return this.welcome?.client.client_id ?? this.#options.clientId
  }

  get secret(): string | undefined {
    return this.welcome?.session ?? this.#options.session
  }

  get maxFrameBytes(): number {
    return this.welcome?.limits.max_message_bytes ?? Number.POSITIVE_INFINITY
  }

  get dedupWindowMs(): number {
    return this.welcome?.limits.dedup_window_ms ?? 0
  }
}
