/** The wire of ArqonBus: envelope, names, ids, positions, error and close codes, command shapes. No I/O. */
export * from './codes.ts'
export { describeCommand } from './commands/describe.ts'
export { type CommandName, type CommandParameters, type CommandResult, commands } from './commands/index.ts'
export type { CommandShape, ParametersOf, ResultOf } from './commands/shape.ts'
export * from './entities.ts'
export { recipientsOf, senderOf } from './envelope/delivered.ts'
export { isDeeperThan } from './envelope/depth.ts'
export { encodeLive, encodeProvisional, encodeStored } from './envelope/encode.ts'
export { isLarge, isLong, objectIn, readMember, readObject, readProper } from './envelope/gist.ts'
export { type Member, memberText, nameOf, readMembers, readOnlyList } from './envelope/json-members.ts'
export { olderFormHint } from './envelope/older-form.ts'
export {
  type ReadOptions,
  type RouteMemory,
  readEnvelope,
  readInPieces,
} from './envelope/parse.ts'
export { type EnvelopeFault, type ParsedEnvelope, payloadOf, type Said } from './envelope/parsed.ts'
export * from './envelope/schema.ts'
export * from './faults.ts'
export * from './figures.ts'
export * from './grants.ts'
export * from './ids.ts'
export * from './names.ts'
export { finish, type Pieces } from './pieces.ts'
export * from './position.ts'
export * from './replies.ts'
export { type Check, compile, compileAll, type Fault, pointer } from './schema.ts'
export * from './telemetry.ts'
export * from './telemetry-events.ts'
export { isTimestamp, timestampPattern } from './timestamp.ts'
export { portable } from './to-json-schema.ts'
export * from './versions.ts'
