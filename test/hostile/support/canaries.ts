/** Secrets that exist nowhere else, so that each place in which one appears is a leak. */

/** Makes canaries, and knows all that were made. */
export type Canary = {
  /** A new canary with that name. It is visible ASCII without spaces, and no text of the server has one. */
  of(name: string): string
  /** A secret that the server has made. */
  add(name: string, secret: string): void
  /** The places that contain one, in any of the forms in which text is usually passed on. */
  leaksIn(sink: string, text: string): string[]
  readonly size: number
}

/** Creates an aviary. */
export function createCanary(): Canary {
  const secrets = new Map<string, readonly [form: string, spelled: string][]>()
  const add = (name: string, secret: string) => void secrets.set(`${name} ${secret}`, formsOf(secret))
  return {
    of(name) {
      const made = `canary-${name.replaceAll(' ', '-')}-${secrets.size}-x9q`
      add(name, made)
      return made
    },
    add,
    leaksIn: (sink, text) =>
      [...secrets].flatMap(([name, forms]) =>
        forms.filter(([, spelled]) => text.includes(spelled)).map(([form]) => `${sink}: ${name}, ${form}`),
      ),
    get size() {
      return secrets.size
    },
  }
}

function formsOf(secret: string): [string, string][] {
  // Base64 depends on where a text begins in what is encoded: one inside has one of three forms.
  const base64 = [0, 1, 2].map((before): [string, string] => {
    const encoded = Buffer.from(' '.repeat(before) + secret).toString('base64')
    return [`Base64 at ${before}`, encoded.slice(before === 0 ? 0 : 4, Math.floor(encoded.length / 4) * 4 - 4)]
  })
  const percent = Array.from(secret, (one) => `%${one.charCodeAt(0).toString(16)}`).join('')
  return [
    ['as it is', secret],
    ['its end', secret.slice(Math.ceil(secret.length / 2))],
    ['hexadecimal', Buffer.from(secret).toString('hex')],
    ['percent-encoded', percent],
    ...base64,
  ]
}
