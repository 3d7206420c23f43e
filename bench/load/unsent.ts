/** A socket with the bytes that the kernel has not accepted yet. */
interface Sender {
  readonly data: { readonly unsent: Buffer[] }
  write(bytes: Buffer): number
}

/** Writes the waiting bytes, until the kernel accepts no more. */
export function flush(socket: Sender): void {
  const { unsent } = socket.data
  while (unsent.length > 0) {
    const taken = Math.max(0, socket.write(unsent[0]!))
    if (taken < unsent[0]!.length) {
      unsent[0] = unsent[0]!.subarray(taken)
      return
    }
    unsent.shift()
  }
}
