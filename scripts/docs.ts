/**
 * Writes the generated pages (`npm run docs`). With `--check` it writes nothing, and fails if a page is
 * stale or if a generated folder contains a file that is not generated any more.
 */

import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { commandsPage } from './docs/commands.ts'
import { configPage } from './docs/config.ts'
import { dashboardPage } from './docs/dashboard/dashboard.ts'
import { durabilityPage } from './docs/durability.ts'
import { envelopePage } from './docs/envelope.ts'
import { errorsPage } from './docs/errors.ts'
import { httpApiPage } from './docs/http-api.ts'
import { metricsPage } from './docs/metrics.ts'
import type { Page } from './docs/page.ts'
import { permissionsPage } from './docs/permissions.ts'
import { schemaFolder, schemaPages } from './docs/schemas.ts'
import { telemetryPage } from './docs/telemetry.ts'

/** Every generated page. A new generator is a file in `docs/` beside this one, and an entry here. */
const pages: readonly Page[] = [
  configPage,
  commandsPage,
  dashboardPage,
  durabilityPage,
  envelopePage,
  errorsPage,
  httpApiPage,
  metricsPage,
  permissionsPage,
  telemetryPage,
  ...schemaPages,
]

/** Folders that contain only generated pages. */
const generatedFolders: readonly string[] = [schemaFolder]

const root = join(import.meta.dir, '..')
const check = process.argv.includes('--check')

const stale = pages.filter((page) => read(page.path) !== page.render()).map((page) => page.path)
const orphans = generatedFolders.flatMap(filesIn).filter((file) => pages.every((page) => page.path !== file))

if (check) {
  for (const path of stale) console.error(`${path} is stale`)
  for (const path of orphans) console.error(`${path} is not generated any more: delete it`)
  if (stale.length + orphans.length > 0) {
    console.error('Run `npm run docs`.')
    process.exitCode = 1
  }
} else {
  for (const page of pages) {
    if (!stale.includes(page.path)) continue
    mkdirSync(join(root, dirname(page.path)), { recursive: true })
    writeFileSync(join(root, page.path), page.render())
    console.log(`wrote ${page.path}`)
  }
  for (const path of orphans) {
    rmSync(join(root, path))
    console.log(`removed ${path}`)
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(join(root, path), 'utf8')
  } catch {
    return undefined
  }
}

function filesIn(folder: string): string[] {
  try {
    return readdirSync(join(root, folder)).map((name) => `${folder}/${name}`)
  } catch {
    return []
  }
}
