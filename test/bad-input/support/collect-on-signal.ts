/**
 * Loaded into a measured bus: on SIGWINCH it collects garbage and reports that, so that the heap contains only live
 * objects.
 */
process.on('SIGWINCH', () => {
  Bun.gc(true)
  process.stdout.write('{"event":"collected"}\n')
})
