export { OperationsModule, type OperationsOptions } from './operations.module.js';
