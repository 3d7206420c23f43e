/** Secrets that open the bus to everyone who guesses them: short ones and well-known ones are refused at the start. */
import type { Kind, Reading } from './kind.ts'
import { secret } from './scalars.ts'

const LEAST_CHARACTERS = 16

/** A text of fewer different characters is a pattern such as `abababababababab`. */
const LEAST_DIFFERENT = 6

/** What sample files and tutorials write: nothing but these, digits and punctuation is no secret. */
const wellKnown =
  /arqonbus|password|passw0rd|pass|word|abc|admin|change|default|demo|dev|example|here|key|letmein|local|me|my|please|qwerty|replace|root|secret|super|test|the|this|token|to|user|your/gi

/** A secret of digits alone is strong where it is this long: 80 bits. */
const LONG_NUMBER = 24

const HOW = '`openssl rand -hex 24` makes a strong one'

/** A secret of at least 16 characters that is not easy to guess. */
export const strongSecret: Kind<string> = {
  ...secret,
  accepts: `a secret of ${LEAST_CHARACTERS} to 1,024 visible ASCII characters without spaces`,
  read(raw): Reading<string> {
    const reading = secret.read(raw)
    if (reading.value === undefined) return reading
    const fault = weaknessOf(reading.value)
    return fault === undefined ? reading : { faults: [`${fault}: ${HOW}`] }
  },
}

/** What makes a secret weak; undefined where nothing does. It never repeats a part of it. */
function weaknessOf(text: string): string | undefined {
  if (text.length < LEAST_CHARACTERS) return `must have at least ${LEAST_CHARACTERS} characters, but has ${text.length}`
  if (new Set(text).size < LEAST_DIFFERENT) return 'is weak: it repeats a few characters'
  const isLongNumber = text.length >= LONG_NUMBER && /^\d+$/.test(text)
  const isWellKnown = !/[a-z]/i.test(text.replace(wellKnown, ''))
  return isWellKnown && !isLongNumber ? 'is weak: it consists of well-known words and digits' : undefined
}
