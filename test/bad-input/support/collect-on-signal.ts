/** Loaded into a bus under measurement: on SIGUSR2 it collects its garbage and says so, so that what remains is what is held. */
process.on('SIGUSR2', () => {
  Bun.gc(true)
  process.stdout.write('{"event":"collected"}\n')
})
