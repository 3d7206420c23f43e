#!/usr/bin/env node
// The `arqonbus` command: runs the server's sources with Bun. `arqonbus serve --help` lists what it takes.

import { fileURLToPath } from 'node:url'
import { start } from './bun.mjs'

const main = fileURLToPath(new URL('../packages/cli/src/main.ts', import.meta.url))

// What configures a bus is the file, the environment and the flags: never a stray `.env` of the folder that it is
// started in.
start(['--no-env-file', main, ...process.argv.slice(2)], { ownGroup: true })
