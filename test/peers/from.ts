/** Requests from other addresses, as a trusted proxy forwards them. */

/** The header of a proxy for a client with this address. */
export const from = (address: string): Record<string, string> => ({ 'x-forwarded-for': address })
