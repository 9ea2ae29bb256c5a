import { runService } from '@faultline/service';
import { payment } from './app.module.js';

await runService(payment);
