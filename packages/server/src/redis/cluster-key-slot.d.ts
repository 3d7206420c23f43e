declare module 'cluster-key-slot' {
  /** The slot of a key in Redis Cluster: CRC16 of it, or of what is between its first braces, modulo 16,384. */
  // biome-ignore lint/style/noDefaultExport: this is how the library exports it
  export default function calculateSlot(key: string): number
}
