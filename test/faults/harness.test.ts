/** Fault runs without a fault. */
import { testFaults } from '../support/harness/test-fault.ts'

testFaults([
  {
    name: 'without a fault every promise is kept',
    redis: false,
    level: 'memory',
    isIsolated: true,
    mustSee: ['acknowledged'],
    inject: (run) => run.acknowledged(500),
  },
  {
    name: 'client connections that are cut lose nothing',
    redis: false,
    level: 'memory',
    mustSee: ['acknowledged', 'disconnected 1006'],
    async inject(run) {
      for (const proxy of [run.busProxy, run.otherProxy]) proxy.cut()
      await run.acknowledged(100)
    },
  },
])
