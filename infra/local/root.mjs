import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The project's root, without a slash at its end. */
export const root = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');

const installed = join(root, 'node_modules', 'node', 'bin', 'node');

/** The Node that everything of this project runs on, from node_modules; before that is there, the one that runs this. */
export const node = existsSync(installed) ? installed : process.execPath;
