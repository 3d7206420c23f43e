/**
 * Accounts: to whom rates and budgets are counted (docs/protocol.md#accounts).
 *
 * An account is a subject of a token, or a client id. A client id costs nothing, so accounts without a subject belong
 * to the address that they come from, and a budget is shared among addresses and subjects first: a stranger with ten
 * thousand client ids has the share of one address.
 */
import { networkOf } from '../kit/ip-address.ts'
import { type Bucket, fullBucket, isFull, type Rate } from './bucket.ts'

/** So many accounts are distinguished, and so many sources; beyond that they are counted together. */
const MOST_ACCOUNTS = 100_000

/** What has a share of its own in every budget: the subject of a token, or an address. */
export class Source {
  readonly key: string
  /** What all accounts of an address send; undefined for a subject, or where the rate is off. */
  readonly rate: Bucket | undefined
  /** How many accounts it has. */
  accounts = 0
  /** In how many budgets it uses something. */
  uses = 0

  constructor(key: string, rate?: Bucket) {
    this.key = key
    this.rate = rate
  }
}

/** A subject, or a client id of an address. All connections and calls of one have the same account. */
export class Account {
  readonly key: string
  readonly source: Source
  /** What it sends; undefined where the rate is off. */
  readonly rate: Bucket | undefined
  /** The rates of the costly commands, by name. */
  commandRates: Map<string, Bucket> | undefined
  /** Connections and streams that it has now. */
  clients = 0
  /** In how many budgets it uses something. */
  uses = 0

  constructor(key: string, source: Source, rate?: Bucket) {
    this.key = key
    this.source = source
    this.rate = rate
  }
}

/** Who has an account. */
export type AccountHolder = {
  /** The subject of its token; undefined where it showed none. */
  readonly subject: string | undefined
  readonly id: string
}

/** What accounts are created with. */
export type AccountsOptions = {
  /** Running time. */
  readonly now: () => number
  /** What one account sends, all accounts of one address, and one account of each costly command. */
  readonly rates: { readonly account: Rate | null; readonly address: Rate | null; readonly command: Rate | null }
}

/** Accounts that one sweep looks at: this many, and this share of all. */
const FEW = 100
const SHARE = 60

/** The key of the source of those that are not distinguished. */
const REST = 'rest'

/** The accounts of a server. */
export class Accounts {
  readonly #options: AccountsOptions
  readonly #sources = new Map<string, Source>()
  readonly #accounts = new Map<string, Account>()
  /** Goes round all accounts, a part in each sweep. */
  #walk = this.#accounts.values()

  constructor(options: AccountsOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#accounts.size
  }

  /** The account of a client that comes from an address. */
  of({ subject, id }: AccountHolder, address: string | undefined): Account {
    if (subject !== undefined) return this.#account(this.#source(`subject ${subject}`), '')
    return this.#account(this.#sourceAt(address), id)
  }

  /** The account of all callers of an address that name no client id: each of their calls gets another one. */
  ofAddress(address: string | undefined): Account {
    return this.#account(this.#sourceAt(address), '')
  }

  /** The account of what was stored before this server started: only its client id is known, so it has its own share. */
  ofStored(id: string): Account {
    return this.#account(this.#source(`stored ${id}`), '')
  }

  /** Forgets accounts that use nothing and whose rates are full. Called every second; each is due once a minute. */
  sweep(): void {
    const most = Math.min(this.#accounts.size, FEW + this.#accounts.size / SHARE)
    for (let looked = 0; looked < most; looked++) {
      let { value: account } = this.#walk.next()
      if (account === undefined) {
        this.#walk = this.#accounts.values()
        account = this.#walk.next().value!
      }
      if (this.#isNeeded(account)) continue
      const { source } = account
      // The last account of a source goes with it.
      if (source.accounts === 1 && !this.#isFull(source.rate, this.#options.rates.address)) continue
      this.#accounts.delete(account.key)
      if (--source.accounts === 0) this.#sources.delete(source.key)
    }
  }

  #sourceAt(address = ''): Source {
    return this.#source(`at ${networkOf(address)}`, this.#options.rates.address)
  }

  #source(key: string, rate: Rate | null = null): Source {
    const known = this.#sources.get(key)
    if (known !== undefined) return known
    if (this.#sources.size >= MOST_ACCOUNTS && key !== REST) return this.#source(REST, this.#options.rates.address)
    const source = new Source(key, this.#bucket(rate))
    this.#sources.set(key, source)
    return source
  }

  #account(source: Source, id: string): Account {
    const key = `${source.key} ${id}`
    const known = this.#accounts.get(key)
    if (known !== undefined) return known
    if (this.#accounts.size >= MOST_ACCOUNTS && id !== '') return this.#account(source, '')
    const account = new Account(key, source, this.#bucket(this.#options.rates.account))
    this.#accounts.set(key, account)
    source.accounts++
    return account
  }

  #isNeeded({ clients, uses, rate, commandRates }: Account): boolean {
    if (clients > 0 || uses > 0 || !this.#isFull(rate, this.#options.rates.account)) return true
    const { command } = this.#options.rates
    return commandRates?.values().some((bucket) => !this.#isFull(bucket, command)) === true
  }

  #isFull(bucket: Bucket | undefined, rate: Rate | null): boolean {
    return bucket === undefined || rate === null || isFull(bucket, rate, this.#options.now())
  }

  #bucket(rate: Rate | null): Bucket | undefined {
    return rate === null ? undefined : fullBucket(rate, this.#options.now())
  }
}
