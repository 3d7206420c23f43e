import { createSlowLog, logSuite } from '@arqonbus/testing'
import { createMemoryLog } from './memory.ts'

logSuite('in memory', 'node', (settings) => ({ driver: createMemoryLog(settings), settle: async () => {} }))

logSuite('that answers later', 'node', (settings) => {
  const slow = createSlowLog({ recent: 4 })
  return { driver: slow.open(settings), settle: slow.settle }
})
