import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Patch, ReplicaName } from '@faultline/harness';
import { eventually } from '@faultline/testing';

/** Lets replicas freeze themselves at the worst moment: when the broker has a relay's rows and the outbox has them still. */
export interface Freezing {
  readonly patches: readonly Patch[];
  readonly serviceEnv: Readonly<Partial<Record<ReplicaName, Readonly<Record<string, string>>>>>;
  /** Resolves when it stands still, at the next rows that it publishes. */
  freeze(name: ReplicaName): Promise<void>;
  close(): void;
}

const settles = 'await this.#settle(rows, held);\n        return rows.length;';

export function freezing(names: readonly ReplicaName[]): Freezing {
  const folder = mkdtempSync(join(tmpdir(), 'faultline-freezing-'));
  const fileOf = (name: ReplicaName): string => join(folder, name);
  return {
    patches: [
      {
        file: 'libs/transactions/outbox/dist/relay.js',
        find: settles,
        replace: `const freeze = process.env.FAULTLINE_FREEZE;
        const files = process.getBuiltinModule('node:fs');
        if (freeze && files.existsSync(freeze)) {
            files.rmSync(freeze);
            process.kill(process.pid, 'SIGSTOP');
        }
        ${settles}`,
      },
    ],
    serviceEnv: Object.fromEntries(names.map((name) => [name, { FAULTLINE_FREEZE: fileOf(name) }])),
    async freeze(name) {
      writeFileSync(fileOf(name), '');
      await eventually(
        () => {
          if (existsSync(fileOf(name))) throw new Error(`${name} has published nothing`);
        },
        { within: 30_000 },
      );
    },
    close() {
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
