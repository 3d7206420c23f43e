import { withProgram } from '@arqonbus/testing'
import { testFaults } from '../../support/harness/test-fault.ts'
import { dataFaults } from './faults/data.ts'

withProgram('redis-server', 'data faults of Redis', () => testFaults(dataFaults))
