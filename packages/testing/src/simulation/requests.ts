/** The frames that a simulated client sends, and the replies that it waits for. */
import { parseAddress } from '@arqonbus/protocol'

/** The payload of a `command_response`. */
export type Reply = {
  readonly request_id: string
  readonly status: 'success' | 'error'
  readonly error?: { readonly code: string }
  // biome-ignore lint/suspicious/noExplicitAny: the shape depends on the command.
  readonly result?: any
}

/** Undefined: the connection ended before the reply arrived. */
type OnReply = (reply: Reply | undefined) => void

/** What differs between the envelopes of messages and commands. */
type Fields = { id: string; type: string; address: string; payload: object; metadata?: object | undefined }

const TIMESTAMP = '2026-01-01T00:00:00Z'

/** The requests of one client. */
export class Requests {
  readonly #clientId: string
  readonly #sendToServer: (text: string) => void
  readonly #pending = new Map<string, OnReply>()
  #lastId = 0

  constructor(clientId: string, sendToServer: (text: string) => void) {
    this.#clientId = clientId
    this.#sendToServer = sendToServer
  }

  /** A new id for a message or, with the prefix `q`, for a command. */
  newId(prefix: 'q' | '' = ''): string {
    return `arq_${this.#clientId}-${prefix}${++this.#lastId}`
  }

  /** The text of a frame. */
  envelope({ id, type, address, payload, metadata }: Fields): string {
    const place = parseAddress(address)
    const from = this.#clientId
    return JSON.stringify({ version: '1.0', id, type, ...place, from, timestamp: TIMESTAMP, payload, metadata })
  }

  /** Sends the frame of a message or command. */
  send(id: string, text: string, onReply: OnReply): void {
    this.#pending.set(id, onReply)
    this.#sendToServer(text)
  }

  command(name: string, parameters: object, onReply: OnReply): void {
    const id = this.newId('q')
    const payload = { name, parameters }
    this.send(id, this.envelope({ id, type: 'command', address: 'arqonbus:control', payload }), onReply)
  }

  isPending(id: string): boolean {
    return this.#pending.has(id)
  }

  /** A reply arrived. */
  replied(reply: Reply): void {
    const onReply = this.#pending.get(reply.request_id)
    this.#pending.delete(reply.request_id)
    onReply?.(reply)
  }

  /** The connection ended: no more replies arrive. */
  abandon(): void {
    for (const onReply of [...this.#pending.values()]) onReply(undefined)
    this.#pending.clear()
  }
}
