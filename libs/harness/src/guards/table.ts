import { readFile, writeFile } from 'node:fs/promises';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { offending } from './demonstrate.js';
import type { Demonstration, Guard } from './guard.js';

/** What became of one guard. */
export type Shown =
  | {
      readonly guard: Guard;
      readonly verdict: 'shown';
      readonly demonstration: Demonstration;
      readonly row: string;
    }
  | { readonly guard: Guard; readonly verdict: 'failed'; readonly because: string };

/** Judges a demonstration: green with the guard, and red without it where the docs say. */
export function judged(guard: Guard, demonstration: Demonstration): Shown {
  const { withGuard, without } = demonstration;
  const letters = guard.invariants.join(' or ');
  if (withGuard.length > 0)
    return { guard, verdict: 'failed', because: `red with the guard in place: ${withGuard.join('; ')}` };
  const [row] = offending(guard, without);
  if (row !== undefined) return { guard, verdict: 'shown', demonstration, row };
  const broke = without.length > 0 ? `only ${without.join('; ')}` : 'nothing broke';
  return { guard, verdict: 'failed', because: `${letters} held without it: ${broke}` };
}

/** The table guard -> invariant -> schedule -> what broke. */
export function markdown(shown: readonly Shown[]): string {
  const head = ['guard', 'what is taken out', 'invariant', 'schedule', 'with it', 'without it'];
  return [head, head.map(() => '---'), ...shown.map(cells)].map(line).join('\n');
}

function cells(shown: Shown): string[] {
  const { guard } = shown;
  return [
    guard.name,
    `${guard.protections.map(({ what }) => what).join(' **and** ')} ([${fileName(guard.where)}](../${guard.where}))`,
    guard.invariants.join(', '),
    guard.schedule,
    ...(shown.verdict === 'shown'
      ? ['green', `red: ${withoutIds(shown.row)}`]
      : ['not shown', withoutIds(shown.because).slice(0, 500)]),
  ];
}

const line = (texts: readonly string[]): string =>
  `| ${texts.map((text) => text.replaceAll('|', '\\|')).join(' | ')} |`;
const fileName = (path: string): string => path.split('/').at(-1) ?? path;

/** Ids differ from run to run, and say nothing to whoever reads the table. */
function withoutIds(text: string): string {
  return text.replaceAll(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, '…');
}

const page = fileURLToPath(new URL('../../../../docs/guards.md', import.meta.url));
const markers = ['<!-- npm run guards -- --write -->', '<!-- end of the table -->'] as const;

/** Puts the table between the markers of docs/guards.md and answers the page's path. */
export async function writeTable(shown: readonly Shown[]): Promise<string> {
  const text = await readFile(page, 'utf8');
  await writeFile(page, between(text, markdown(shown)));
  return relative(process.cwd(), page);
}

/** Replaces what stands between the markers. Throws when they are not there once, in their order. */
export function between(text: string, table: string): string {
  const [before, rest, more] = text.split(markers[0]);
  const [, after, evenMore] = rest?.split(markers[1]) ?? [];
  if (before === undefined || after === undefined || more !== undefined || evenMore !== undefined)
    throw new Error(`docs/guards.md must have ${markers.join(' and ')} once each`);
  return `${before}${markers[0]}\n\n${table}\n\n${markers[1]}${after}`;
}
