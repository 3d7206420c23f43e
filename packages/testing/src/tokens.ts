/** Tokens for tests. Apart from the rest, since only tests of tokens need their library. */

export { type ForgedToken, forgedTokens } from './forged-tokens.ts'
export {
  ALL_PERMISSIONS,
  AUDIENCE,
  bearer,
  createIssuer,
  type Issuer,
  SECRET,
  serveJson,
  type TokenParts,
} from './issuer.ts'
