import { runService } from '@faultline/service';
import { inventory } from './app.module.js';

await runService(inventory);
