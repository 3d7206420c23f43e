import { chromiumFlags, findProgram } from '@arqonbus/testing'
import { type Browser, chromium } from 'playwright-core'

/** What is missing, and how to install it; undefined if Chromium is installed. */
export function chromiumMissing(): string | undefined {
  return findProgram('chromium') === undefined
    ? 'chromium is not installed; run apt-get install -y chromium'
    : undefined
}

/** Starts Chromium without a window. It renders with the processor, as on a machine without a graphics card. */
export function startChromium(): Promise<Browser> {
  return chromium.launch({ executablePath: findProgram('chromium')!, args: [...chromiumFlags] })
}
