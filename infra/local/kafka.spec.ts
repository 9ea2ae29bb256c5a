import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { clusterId, demandLocked, lockedJars } from './kafka.mjs';

describe('what was fetched for Kafka', () => {
  it('is refused when it is not, to the byte, what was locked', () => {
    const folder = mkdtempSync(join(tmpdir(), 'faultline-jars-'));
    try {
      const file = join(folder, 'a.jar');
      writeFileSync(file, 'as published');
      const jar = { name: 'a.jar', sha512: createHash('sha512').update('as published').digest('base64') };
      expect(() => demandLocked(file, jar)).not.toThrow();
      writeFileSync(file, 'as published, and a little more');
      expect(() => demandLocked(file, jar)).toThrow(
        'a.jar is not the file that infra/local/kafka/jars.lock.json names',
      );
      expect(() => demandLocked(join(folder, 'b.jar'), { ...jar, name: 'b.jar' })).toThrow(
        'b.jar is missing',
      );
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('is locked by name and SHA-512, every jar', () => {
    const { jars } = lockedJars();
    expect(jars).toHaveLength(45);
    for (const jar of jars) {
      const [group, artifact, version] = jar.artifact.split(':');
      expect(group).toMatch(/^[\w.-]+$/);
      expect(jar.name).toBe(`${artifact}-${version}.jar`);
      expect(Buffer.from(jar.sha512, 'base64')).toHaveLength(64);
    }
  });
});

describe("a cluster's id", () => {
  it('is never taken for an option', () => {
    for (let index = 0; index < 500; index += 1) {
      expect(clusterId(`/somewhere/${index}`)).toMatch(/^[\w][\w-]{21}$/);
    }
    expect(clusterId('/a')).toBe(clusterId('/a'));
  });
});
