import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { compose } from './docker.mjs';

// In Docker's place: it writes down what it was told, and fails when a second one creates while the first does.
const standIn = `#!/bin/sh
cd "$(dirname "$0")"
shift 3
echo "$@" >> told
case "$*" in
  *--wait*) exit 0 ;;
  *broken*) echo "no such image" >&2; exit 1 ;;
esac
mkdir creating || { echo "two at once" >&2; exit 1; }
sleep 0.2
rmdir creating
`;

describe('Postgres and Kafka by docker compose', () => {
  let folder: string;
  const path = process.env['PATH'];
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'faultline-docker-'));
    writeFileSync(join(folder, 'docker'), standIn);
    chmodSync(join(folder, 'docker'), 0o755);
    process.env['PATH'] = `${folder}${delimiter}${path}`;
  });
  afterEach(() => {
    process.env['PATH'] = path;
    rmSync(folder, { recursive: true });
  });
  const docker = () => compose({ folder, ports: { postgres: 15432, kafka: 19092 } });
  const told = (): string[] => readFileSync(join(folder, 'told'), 'utf8').trim().split('\n');

  it('are created one after the other, since each would make the network, and waited for together', async () => {
    const { up } = docker();
    await Promise.all([up('postgres'), up('kafka')]);
    expect(told().filter((line) => !line.includes('--wait'))).toEqual(['up -d postgres', 'up -d kafka']);
    expect(told().filter((line) => line.includes('--wait'))).toHaveLength(2);
  });

  it('do not keep each other from starting: who fails says why', async () => {
    const { up } = docker();
    const [broken, kafka] = await Promise.allSettled([up('broken'), up('kafka')]);
    expect(broken).toMatchObject({
      status: 'rejected',
      reason: { message: expect.stringContaining('no such image') },
    });
    expect(kafka.status).toBe('fulfilled');
  });
});
