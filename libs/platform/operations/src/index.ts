export { OperationsModule, type OperationsOptions } from './operations.module.js';
export { watchResilience } from './resilience-metrics.js';
