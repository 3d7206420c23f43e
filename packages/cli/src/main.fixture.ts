// Loaded before main.ts by a test: lets a signal cause what nobody catches.
process.on('SIGUSR1', () => {
  throw new Error('thrown on purpose')
})
process.on('SIGUSR2', () => {
  void Promise.reject(new Error('rejected on purpose'))
})
