/** A WebSocket connection in a terminal: the received frames, in order, and how it ended. */

/** A connection of the conversation. */
export type Terminal = {
  send(frame: string): Promise<void>
  /** Resolves to the next frame; throws if none arrives in time, or the connection ends before. */
  receive(): Promise<string>
  closed(): Promise<{ code: number; reason: string }>
  /** The received frames that were not taken. */
  unread(): readonly string[]
  hangUp(): void
}

/** How long a page waits for a frame. */
const patienceMs = 60_000

/** Connects. Frames are kept until they are taken. */
export function openTerminal(options: {
  url: string
  headers: Record<string, string>
  subprotocols: string[]
}): Terminal {
  const { url, headers, subprotocols } = options
  const socket = new WebSocket(url, { headers, protocols: subprotocols })
  const frames: string[] = []
  let wake = () => {}
  const opened = new Promise<void>((resolve) => socket.addEventListener('open', () => resolve()))
  const ended = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.addEventListener('close', ({ code, reason }) => resolve({ code, reason }))
  })
  socket.addEventListener('message', ({ data }) => {
    frames.push(String(data))
    wake()
  })
  const early = ended.then(({ code, reason }): never => {
    throw new Error(`the connection ended with ${code} "${reason}"`)
  })
  early.catch(() => {})

  return {
    async send(frame) {
      await inTime(Promise.race([opened, early]), 'an open connection')
      socket.send(frame)
    },
    async receive() {
      if (frames.length === 0) {
        const arrived = new Promise<void>((resolve) => {
          wake = resolve
        })
        await inTime(Promise.race([arrived, early]), 'a frame')
      }
      return frames.shift()!
    },
    closed: () => inTime(ended, 'the end of the connection'),
    unread: () => frames,
    hangUp: () => socket.close(),
  }
}

/** The promise, or an error after the timeout of a page. */
async function inTime<T>(promise: Promise<T>, what: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${patienceMs / 1000} s for ${what}`)), patienceMs)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
