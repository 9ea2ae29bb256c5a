import { runService } from '@faultline/service';
import { orderService } from './app.module.js';

await runService(orderService);
