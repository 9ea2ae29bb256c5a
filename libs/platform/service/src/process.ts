// For a process without database and broker: it loads neither of them.
export { pause } from './pause.js';
export { runProcess, type RunningProcess } from './run-process.js';
export { BadSettings, processSettings, type ProcessSettings, readSettings } from './settings.js';
export { StopBudget } from './stop-budget.js';
