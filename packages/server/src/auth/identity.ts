/** Identities: who a connection, an event stream or an HTTP request has proved to be (docs/protocol.md#connecting). */

/** What a token gives its client. */
export type Role = 'user' | 'admin'

/** Who asks. `may` in `access.ts` decides by this alone. */
export type Identity = {
  /** The client id. */
  readonly id: string
  readonly role: Role
  /** True where the session of the client id was shown. Over HTTP a client id may be given without it. */
  readonly isProven: boolean
  /** True for an event stream: any page can make a browser open one, so it creates nothing. */
  readonly isReadOnly: boolean
}

/** The same client as an admin: the admin key in the parameters raises one command. */
export const asAdmin = (identity: Identity): Identity =>
  identity.role === 'admin' ? identity : { ...identity, role: 'admin' }
