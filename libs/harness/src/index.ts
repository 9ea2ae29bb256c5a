export { audit, judge, type AuditOptions, type JudgeOptions } from './audit/audit.js';
export type { Outage } from './audit/termination.js';
export { type Invariant, invariants, type Verdict } from './audit/verdict.js';
export { brokerProxy, type BrokerProxy } from './broker-proxy.js';
export { Client, type OrderBody, type Placement } from './client.js';
export { type CrashPoint, crashPointPatches, crashPoints, type Occasion } from './crash-points.js';
export { databaseProxy, type DatabaseProxy } from './database-proxy.js';
export { fillableDisk, refusingTables, smallDisk, type Disk } from './disk.js';
export { disturbances, type Disturbances } from './disturbances.js';
export { send, type Answer, type Ask } from './http.js';
export {
  crashTest,
  type CrashTestOptions,
  type CrashTestResult,
  type Progress,
} from './crash-test/crash-test.js';
export { holds, reportOf, verdictLines, writeReport, type Report } from './crash-test/report.js';
export {
  coveredIn,
  demonstrateIn,
  type Guard,
  guards,
  offending,
  openWorld,
  takeOutOne,
  type World,
} from './guards/index.js';
export { endLoads, forAWhile, startLoad, type Arrival, type Load, type LoadOptions } from './load.js';
export type { Patch } from './patching/patch.js';
export { observe, type Observation } from './observation.js';
export { pick, randomFrom } from './random.js';
export {
  choosePorts,
  SERVICES,
  startSystem,
  type HarnessOptions,
  type HarnessSystem,
  type Ports,
  type ReplicaName,
  type ServiceName,
  type System,
} from './system.js';
export { complaintsAbout, nameOf, type ComplaintOptions } from './trace/complaints.js';
export { receiveTraces, type TraceReceiver } from './trace/receiver.js';
export { attributeOf, type Span } from './trace/span.js';
export { treeOf, type Node, type TraceTree } from './trace/tree.js';
