import { cpus, loadavg, totalmem } from 'node:os';

/** On what it ran. */
export interface Machine {
  readonly processors: number;
  readonly model: string;
  readonly memoryGigabytes: number;
  readonly node: string;
  readonly loadBefore: number;
}

export function machine(): Machine {
  const all = cpus();
  return {
    processors: all.length,
    model: all[0]?.model.trim() ?? process.arch,
    memoryGigabytes: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    loadBefore: loadavg()[0] ?? 0,
  };
}

/** A machine's kind as part of a file name: `2-intel-xeon-processor`. */
export function kindOf({ processors, model }: Machine): string {
  const words = model
    .toLowerCase()
    .replaceAll(/\(r\)|\(tm\)|cpu|@.*$/g, ' ')
    .match(/[a-z0-9.]+/g);
  return [processors, ...(words ?? [])].join('-').slice(0, 40);
}
