export { postpone } from './claim.js';
export { dueWorkDepth, finishPart, heldPart, schedulePart, type Claimed, type DueItem } from './due-work.js';
export { DueWorker, type DueWorkerOptions, type Log } from './worker.js';
