/** Requests that come from other addresses than this machine: as a trusted proxy passes them on. */

/** The header of a proxy that was called from this address. */
export const from = (address: string): Record<string, string> => ({ 'x-forwarded-for': address })
