// Loaded by `--import` into a service of the harness: patches its files as they are loaded, and arms crash points.
import { readFileSync, renameSync, statSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { patched, type Patch } from './patch.js';

const root = fileURLToPath(new URL('../../../..', import.meta.url));
const from = process.env['FAULTLINE_PATCHES'];
const armed = process.env['FAULTLINE_CRASH_FILE'];

if (from) {
  const patches = JSON.parse(readFileSync(from, 'utf8')) as readonly Patch[];
  registerHooks({
    load(url, context, next) {
      const loaded = next(url, context);
      if (!url.startsWith('file:')) return loaded;
      const file = relative(root, fileURLToPath(url));
      if (!patches.some((patch) => patch.file === file)) return loaded;
      const source =
        typeof loaded.source === 'string' ? loaded.source : new TextDecoder().decode(loaded.source);
      return { ...loaded, source: patched(file, source, patches) };
    },
  });
}

let arming = 0;
let passes = 0;

/** What a crash point calls: ends this process as kill -9 would, on the pass for which it is armed. */
function crashPoint(name: string): void {
  if (!armed) return;
  const at = statSync(armed, { throwIfNoEntry: false })?.mtimeMs;
  if (at === undefined) return;
  const { point, pass } = JSON.parse(readFileSync(armed, 'utf8')) as { point: string; pass: number };
  if (point !== name) return;
  if (arming !== at) {
    arming = at;
    passes = 0;
  }
  passes += 1;
  if (passes < pass) return;
  // Once: the process that takes this one's place is not armed.
  renameSync(armed, `${armed}.struck`);
  process.kill(process.pid, 'SIGKILL');
}
Object.assign(globalThis, { faultlineCrashPoint: crashPoint });
