/** Identities: who a connection, an event stream or an HTTP request has proved to be (docs/protocol.md#connecting). */

import type { Credential } from './credential.ts'
import { everything, type Permissions } from './permissions.ts'

/** What a token gives its client. */
export type Role = 'user' | 'admin'

/** Who asks. `may` in `access.ts` decides by this alone. */
export type Identity = {
  /** The client id. */
  readonly id: string
  readonly role: Role
  /** True where the session of the client id was shown. Over HTTP a client id may be given without it. */
  readonly isProven: boolean
  /** Who holds that session, and those which it continues (`holderOf` in `secrets.ts`); undefined where none was shown. */
  readonly holder: string | undefined
  /** True for an event stream: any page can make a browser open one, so it creates nothing. */
  readonly isReadOnly: boolean
  /**
   * The person, service or agent that acts: the `sub` of its token, or `act.sub` where one acts for another; undefined
   * where it showed none.
   */
  readonly subject: string | undefined
  /** For whom it acts, where that is another subject. */
  readonly onBehalfOf: string | undefined
  /** What was verified of its token, and how long that is valid; undefined where it showed none. */
  readonly credential: Credential | undefined
  /** What its token, and the configuration, allow it where. */
  readonly permissions: Permissions
}

/** Nobody's token was shown: the rules of rooms, channels and clients alone decide. */
export const anonymous: Pick<Identity, 'subject' | 'onBehalfOf' | 'credential' | 'permissions'> = {
  subject: undefined,
  onBehalfOf: undefined,
  credential: undefined,
  permissions: everything,
}

/** Who created a room or a channel, and may delete it or enter it where it is private. */
export type Creator = {
  /** The client id; undefined for what is built in, configured, or stored without it. */
  readonly createdBy: string | undefined
  /** The holder of the session that it had: undefined where that is not known, and `NOBODY` where it showed none. */
  readonly holder: string | undefined
}

/** The holder of what a client created without showing its session: admins alone have rights to it. */
export const NOBODY = 'nobody'

/** As creator of something new. */
export const creatorOf = ({ id, holder = NOBODY }: Identity): Creator => ({ createdBy: id, holder })

/** To whom rates and budgets are counted: the subject of the token, over all of its client ids, or else the client id. */
export const accountOf = ({ subject, id }: Pick<Identity, 'subject' | 'id'>): string => subject ?? id

/** The same client as an admin: the admin key in the parameters raises one command. */
export const asAdmin = (identity: Identity): Identity =>
  identity.role === 'admin' ? identity : { ...identity, role: 'admin' }
