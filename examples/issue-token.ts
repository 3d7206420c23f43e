/**
 * Issues a token for a client of the bus, as your backend does for the users that have logged in.
 *
 *     ARQONBUS_TOKEN_SECRET=… npm run bun examples/issue-token.ts ada
 */
import { SignJWT } from 'jose'

const [user = 'ada'] = process.argv.slice(2)
const secret = new TextEncoder().encode(process.env.ARQONBUS_TOKEN_SECRET)
const permissions = { 'science:*': ['join', 'publish', 'history', 'create'] }
const token = await new SignJWT({ arqonbus: { screen_name: user, permissions } })
  .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
  .setSubject(user)
  .setAudience('bus.example.org')
  .setIssuedAt()
  .setExpirationTime('1h')
  .sign(secret)
console.log(token)
