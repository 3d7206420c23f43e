import { chromiumFlags, findProgram } from '@arqonbus/testing'
import { type Browser, chromium } from 'playwright-core'

/** What is missing, and how to get it; undefined where Chromium is there. */
export function chromiumMissing(): string | undefined {
  return findProgram('chromium') === undefined
    ? 'there is no chromium here; apt-get install -y chromium brings it'
    : undefined
}

/** Starts Chromium without a window. It draws with the processor, as on a machine without a graphics card. */
export function startChromium(): Promise<Browser> {
  return chromium.launch({ executablePath: findProgram('chromium')!, args: [...chromiumFlags] })
}
