// Loaded before main.ts by a test: a signal causes an uncaught exception or rejection.
process.on('SIGUSR1', () => {
  throw new Error('thrown on purpose')
})
process.on('SIGWINCH', () => {
  void Promise.reject(new Error('rejected on purpose'))
})
