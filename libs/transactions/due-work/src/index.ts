export {
  assertFence,
  dueWorkDepth,
  fencePart,
  finishPart,
  heldPart,
  schedulePart,
  StaleFence,
  type Claimed,
  type DueItem,
} from './due-work.js';
export { DueWorker, type DueWorkerOptions, type Log } from './worker.js';
