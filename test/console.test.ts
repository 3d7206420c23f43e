import { afterAll, expect, test } from 'bun:test'
import { startBusProcess } from './support/bus-process.ts'

const bus = await startBusProcess()
afterAll(() => bus.stop('SIGKILL'))

test('a bus that runs from the sources serves the console, with nothing built beforehand', async () => {
  const page = await fetch(bus.httpUrl)
  expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8'])
  const paths = [...(await page.text()).matchAll(/(?:src|href)="(console\/[^"]+)"/g)].map(([, path]) => path)
  expect(paths.length).toBe(3)
  for (const path of paths) expect([path, (await fetch(`${bus.httpUrl}/${path}`)).status]).toEqual([path, 200])
  const config = (await (await fetch(`${bus.httpUrl}/console/config.json`)).json()) as { bus_port: number }
  expect(config.bus_port).toBe(Number(new URL(bus.busUrl).port))
})
