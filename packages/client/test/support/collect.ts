import type { Client, ClientEvents } from '../../src/index.ts'

/** The events of one kind, in order of arrival, for tests that wait for them. */
export type Collected<Event> = {
  readonly all: Event[]
  /** Resolves to all events once there are `n`. */
  count(n: number): Promise<Event[]>
}

/** Collects the events of a client, or what `select` returns for each. */
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

/** Resolves to the next event of a kind. */
export function next<Name extends keyof ClientEvents>(client: Client, name: Name): Promise<ClientEvents[Name]> {
  return new Promise((resolve) => {
    const off = client.on(name, (event) => {
      off()
      resolve(event)
    })
  })
}

/** The text of a message, in tests that send `{ text }`. */
export const textOf = ({ payload }: ClientEvents['message']): unknown => payload.text
