// For a process without database and broker: it loads neither of them.
export { chaosAround, type ChaosAround } from './around.js';
