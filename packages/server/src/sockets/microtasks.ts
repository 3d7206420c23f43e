/** What awaits something goes on at the end of a task of the runtime, or here. */
export { drainMicrotasks } from 'bun:jsc'
