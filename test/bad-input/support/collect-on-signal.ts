/**
 * Loaded into a measured bus: on SIGUSR2 it collects garbage and reports that, so that the heap contains only live
 * objects.
 */
process.on('SIGUSR2', () => {
  Bun.gc(true)
  process.stdout.write('{"event":"collected"}\n')
})
