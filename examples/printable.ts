/**
 * Text from other clients for a terminal: without the control characters that would move its cursor or change its
 * title.
 */
export const printable = (text: unknown): string => String(text).replaceAll(/\p{Cc}/gu, ' ')
