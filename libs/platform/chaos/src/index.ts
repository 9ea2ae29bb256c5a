export { withChaos } from './with-chaos.js';
export { chaosAround, type ChaosAround } from './around.js';
