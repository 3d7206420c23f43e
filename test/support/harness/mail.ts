/**
 * Private messages during faults: between clients that stay, and to new clients, whose sessions and inboxes are new. At
 * the end each of them reads its inbox.
 */
import { ArqonBusError, type Client } from '@arqonbus/client'
import type { Random } from '@arqonbus/testing'
import { type Level, passing, type Record } from './record.ts'
import { until } from './until.ts'

/** The private messages of a run. */
export type Mail = {
  begin(): void
  /** Stops sending, and reads every inbox; resolves to a line for each missing message. */
  end(): Promise<string[]>
}

const TICK_MS = 30
const MOST_UNDER_WAY = 16
const RESIDENTS = 4
const MOST_CLIENTS = 60

/** Connects the clients that stay. */
export async function startMail(record: Record, random: Random, level: Level): Promise<Mail> {
  const clients: Client[] = []
  const sent: { id: string; between: Client[] }[] = []
  const underWay = new Set<Promise<void>>()
  let timer: ReturnType<typeof setInterval> | undefined
  let serial = 0
  let connected = 0
  const add = async () => {
    const client = await record.connect(`mail-${++connected}`)
    clients.push(client)
    return client
  }
  for (let i = 0; i < RESIDENTS; i++) await add()

  const send = async (sender: Client, recipient: Client): Promise<void> => {
    const id = `arq_mail-${++serial}`
    for (;;) {
      try {
        await sender.private(recipient.clientId, { id }, { ack: level, id })
        sent.push({ id, between: [sender, recipient] })
        return
      } catch (error) {
        if (!(error instanceof ArqonBusError)) throw error
        if (error.code !== 'outcome_unknown' && !passing.includes(error.code)) {
          record.surprises.push(`${id} to ${recipient.clientId} was refused: ${error.code} ${error.message}`)
          return
        }
        await Bun.sleep(Math.min(error.retryAfterMs ?? 50, 500))
      }
    }
  }
  const tick = async (): Promise<void> => {
    const isNewcomer = random.chance(20) && connected < MOST_CLIENTS
    const [sender, resident] = [clients[random.below(RESIDENTS)]!, clients[random.below(RESIDENTS)]!]
    await send(sender, isNewcomer ? await add() : resident)
  }
  const start = () => {
    if (underWay.size >= MOST_UNDER_WAY) return
    const one = tick().finally(() => underWay.delete(one))
    underWay.add(one)
  }

  return {
    begin() {
      timer = setInterval(start, TICK_MS)
    },
    async end() {
      clearInterval(timer)
      await until('the outcome of every private message', () => underWay.size === 0)
      const missing: string[] = []
      for (const client of clients) {
        const ids = await inboxOf(client)
        for (const { id, between } of sent) {
          if (between.includes(client) && !ids.has(id))
            missing.push(`${id} was acknowledged but is not in the inbox of ${client.clientId}`)
        }
        await client.close()
      }
      if (sent.length === 0) missing.push('nothing was tried: no private message was acknowledged')
      return missing
    },
  }
}

async function inboxOf(client: Client): Promise<ReadonlySet<string>> {
  const ids = new Set<string>()
  for (let after: string | undefined; ; ) {
    const page = await client.history('arqonbus:inbox', { limit: 1000, ...(after !== undefined && { after }) })
    for (const { id, metadata } of page.messages) {
      ids.add(id)
      after = metadata!.position!
    }
    if (!page.has_more) return ids
  }
}
