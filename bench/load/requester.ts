import { type Connection, type Listener, sendText } from './connection.ts'

/** Commands over one connection, one at a time, each timed from its sending to its reply. */
export interface Requester {
  /** Resolves to the result; rejects with the error of a refusal. */
  request(name: string, parameters?: object): Promise<Answer>
}

export interface Answer {
  // biome-ignore lint/suspicious/noExplicitAny: the type of a result depends on the command, and the load trusts the bus.
  result: any
  tookUs: number
}

/** Receives the frames of the connection from now on; frames that are no replies are ignored. */
export function createRequester(connection: Connection): Requester {
  let waiting: { id: string; sentAt: number; resolve(answer: Answer): void; reject(error: Error): void } | undefined
  let count = 0

  const listener: Listener = {
    text(_, bytes, start, end) {
      const arrivedAt = Bun.nanoseconds()
      if (waiting === undefined) return
      const { type, payload } = JSON.parse(bytes.toString('utf8', start, end))
      if (type !== 'command_response' || payload.request_id !== waiting.id) return
      const { sentAt, resolve, reject } = waiting
      waiting = undefined
      if (payload.status === 'success') resolve({ result: payload.result, tookUs: (arrivedAt - sentAt) / 1000 })
      else reject(new Error(`${payload.command}: ${JSON.stringify(payload.error)}`))
    },
    closed() {
      waiting?.reject(new Error(`closed with ${connection.closeCode} while a command waited for its reply`))
    },
  }
  connection.listener = listener

  return {
    request(name, parameters = {}) {
      const id = `arq_c${connection.index}-${count++}`
      const frame = {
        version: '1.0',
        id,
        type: 'command',
        room: 'arqonbus',
        channel: 'control',
        from: connection.clientId,
        timestamp: new Date().toISOString(),
        payload: { name, parameters },
      }
      return new Promise((resolve, reject) => {
        waiting = { id, sentAt: Bun.nanoseconds(), resolve, reject }
        sendText(connection, JSON.stringify(frame))
      })
    },
  }
}
