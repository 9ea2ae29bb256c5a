export { auditFaultline, quiet } from './audit.js';
export { Counters, type Counts } from './counters.js';
export { placeOrder } from './faultline.js';
export { runLoop } from './loops.js';
export { customers, ordersFrom, poor, skus, type Ordered } from './orders.js';
