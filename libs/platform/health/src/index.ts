export { HealthModule, type Check, type Checks } from './health.module.js';
