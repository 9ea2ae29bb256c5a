import { runProcess } from '@faultline/service/process';
import { startGateway } from './app.module.js';

await runProcess('payment-gateway', () => startGateway());
