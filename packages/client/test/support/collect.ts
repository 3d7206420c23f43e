import type { Client, ClientEvents } from '../../src/index.ts'

/** Events of one kind as they come, for tests that wait for them. */
export type Collected<Event> = {
  readonly all: Event[]
  /** Resolves when so many have come, with all of them. */
  count(n: number): Promise<Event[]>
}

/** Collects the events of a client, or those that `select` makes of them. */
export function collect<Name extends keyof ClientEvents, Event = ClientEvents[Name]>(
  client: Client,
  name: Name,
  select: (event: ClientEvents[Name]) => Event = (event) => event as unknown as Event,
): Collected<Event> {
  const all: Event[] = []
  let check = () => {}
  client.on(name, (event) => {
    all.push(select(event))
    check()
  })
  return {
    all,
    count: (n) =>
      new Promise((resolve) => {
        check = () => {
          if (all.length >= n) resolve(all)
        }
        check()
      }),
  }
}

/** The next event of a kind. */
export function next<Name extends keyof ClientEvents>(client: Client, name: Name): Promise<ClientEvents[Name]> {
  return new Promise((resolve) => {
    const off = client.on(name, (event) => {
      off()
      resolve(event)
    })
  })
}

/** What a message says, in the tests that send `{ text }`. */
export const textOf = ({ payload }: ClientEvents['message']): unknown => payload.text
