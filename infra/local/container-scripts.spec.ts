import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { testInfra } from './test/choice.mjs';

const run = promisify(execFile);
const script = (name: string): string => fileURLToPath(new URL(`../docker/${name}`, import.meta.url));

describe('the token of a service in a container', () => {
  let folder: string;
  let file: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'faultline-token-'));
    file = join(folder, 'service-token');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const tokenOf = async (given = '', path = file): Promise<string> => {
    const { PATH } = process.env;
    const env = { PATH, FAULTLINE_SERVICE_TOKEN: given, FAULTLINE_SERVICE_TOKEN_FILE: path };
    const program = ['sh', '-c', 'printf %s "$FAULTLINE_SERVICE_TOKEN"'];
    return (await run('sh', [script('with-token.sh'), ...program], { env })).stdout;
  };
  const kept = (): string => readFileSync(file, 'utf8').trim();

  it('is made once, however many start at the same time, and stays', async () => {
    const tokens = await Promise.all(Array.from({ length: 8 }, () => tokenOf()));
    expect(new Set(tokens)).toEqual(new Set([kept()]));
    expect(kept()).toMatch(/^[\w-]{32}$/);
    expect(await tokenOf()).toBe(kept());
    expect(readdirSync(folder)).toEqual(['service-token']);
  });

  it('is the one that was given, and it is left for those who read the file', async () => {
    await tokenOf();
    expect(await tokenOf('given-by-the-user')).toBe('given-by-the-user');
    expect(kept()).toBe('given-by-the-user');
    expect(statSync(file).mode & 0o777).toBe(0o644);
    expect(readdirSync(folder)).toEqual(['service-token']);
  });

  it('is nothing where there is no place for it: the service then says what it needs', async () => {
    expect(await tokenOf('', join(folder, 'nowhere', 'service-token'))).toBe('');
    expect(await tokenOf('given-by-the-user', join(folder, 'nowhere', 'service-token'))).toBe(
      'given-by-the-user',
    );
  });

  it('leaves its place to the service, so that signals reach that one', async () => {
    const env = { PATH: process.env['PATH'], FAULTLINE_SERVICE_TOKEN_FILE: file };
    const program = ['sh', '-c', 'echo $$'];
    const child = run('sh', [script('with-token.sh'), ...program], { env });
    expect((await child).stdout.trim()).toBe(String(child.child.pid));
  });
});

describe('the health check of a service in a container', () => {
  const check = async (answer: RequestListener): Promise<{ code: number; said: string }> => {
    const server = createServer(answer);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    try {
      const { stdout } = await run(process.execPath, [script('is-ready.mjs')], {
        env: { PORT: String(port) },
        // A check that waits for ever fails this test, and does not hold up the run.
        timeout: 9000,
      });
      return { code: 0, said: stdout };
    } catch (error) {
      const { code, stdout } = error as { code: number; stdout: string };
      return { code, said: stdout };
    } finally {
      server.closeAllConnections();
      server.close();
    }
  };

  it('follows /health/ready, and shows what it says', async () => {
    const at =
      (status: number): RequestListener =>
      (request, response) => {
        response.writeHead(status).end(`${request.url} ${status}`);
      };
    expect(await check(at(200))).toEqual({ code: 0, said: '/health/ready 200' });
    expect(await check(at(503))).toEqual({ code: 1, said: '/health/ready 503' });
  });

  it('fails by itself when the service is silent', async () => {
    const { code, said } = await check(() => undefined);
    expect([code, said.trim()]).toEqual([1, 'no answer within 2.5 s']);
  });
});

describe('where integration tests get Postgres and Kafka', () => {
  it('is what TEST_INFRA says, else what INFRA says', () => {
    expect(testInfra({})).toBeUndefined();
    expect(testInfra({ INFRA: 'external' })).toBe('external');
    expect(testInfra({ TEST_INFRA: '', INFRA: 'docker' })).toBe('docker');
    expect(testInfra({ TEST_INFRA: 'containers', INFRA: 'docker' })).toBe('containers');
    expect(testInfra({ TEST_INFRA: 'embedded' })).toBe('embedded');
  });

  it('is refused with a sentence when there is no such way', () => {
    expect(() => testInfra({ TEST_INFRA: 'container' })).toThrow(
      'TEST_INFRA is container; it can be embedded (processes, the default where there is Java) or containers.',
    );
  });
});
