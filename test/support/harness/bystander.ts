/**
 * A client in a separate process that no fault affects: it pings all the time. Its figures are those of the bus, not of
 * the test process, which is busy with all other clients. Each message that it receives, a number, is answered with the
 * round trips since the last one, in milliseconds, once there are that many.
 */
import { connect } from '@arqonbus/client'

const EVERY_MS = 3
const [url] = process.argv.slice(2) as [string]
const client = await connect({ url, clientId: 'bystander', reconnect: { minDelayMs: 20, maxDelayMs: 200 } })
let roundTripsMs: number[] = []
let isPinging = false

const ping = async () => {
  if (isPinging) return
  isPinging = true
  const at = performance.now()
  await client.ping().then(
    () => roundTripsMs.push(performance.now() - at),
    // Its bus was killed: it connects to the next one.
    () => {},
  )
  isPinging = false
}
setInterval(ping, EVERY_MS)

process.on('message', async (least: number) => {
  while (roundTripsMs.length < least) await Bun.sleep(EVERY_MS)
  process.send?.(roundTripsMs)
  roundTripsMs = []
})
process.on('disconnect', () => process.exit())
process.send?.('ready')
