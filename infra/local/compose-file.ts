import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { z } from 'zod';

export const root = new URL('../../', import.meta.url);
export const textOf = (path: string): string => readFileSync(new URL(path, root), 'utf8');

const Condition = z.object({ condition: z.string() });
const Container = z.object({
  image: z.string(),
  build: z.object({ context: z.string(), args: z.record(z.string(), z.string()) }).optional(),
  user: z.string().optional(),
  command: z.array(z.string()).default([]),
  environment: z.record(z.string(), z.union([z.string(), z.number()])).default({}),
  ports: z.array(z.string()).default([]),
  volumes: z.array(z.string()).default([]),
  tmpfs: z.array(z.string()).default([]),
  depends_on: z.record(z.string(), Condition).default({}),
  profiles: z.array(z.string()).default([]),
  mem_limit: z.string().optional(),
  init: z.boolean().default(false),
  read_only: z.boolean().default(false),
  cap_drop: z.array(z.string()).default([]),
  security_opt: z.array(z.string()).default([]),
  restart: z.string().optional(),
  healthcheck: z.object({ test: z.array(z.string()) }).optional(),
});
export type Container = z.infer<typeof Container>;
const File = z.object({
  services: z.record(z.string(), Container),
  volumes: z.record(z.string(), z.unknown()),
});

/** docker-compose.yml with its anchors resolved, its variables as they stand. */
export const composeFile = File.parse(parse(textOf('docker-compose.yml'), { merge: true }));

/** What a value is where no variable of the user's is set. */
export function withDefaults(value: string | number): string {
  let text = String(value);
  for (let before = ''; before !== text;) {
    before = text;
    text = text.replace(/\$\{\w+:([-+])([^${}]*)\}/g, (_, kind: string, other: string) =>
      kind === '-' ? other : '',
    );
  }
  return text;
}
