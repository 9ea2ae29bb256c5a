import { readFile, writeFile } from 'node:fs/promises';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { offending } from './demonstrate.js';
import type { Demonstration, Guard } from './guard.js';
import { unshown } from './unshown.js';

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

/** The same in short: what is taken out, the invariant that breaks, and when. */
export function markdownInShort(shown: readonly Shown[]): string {
  const head = ['without', 'breaks', 'when'];
  const rows = shown.map(({ guard, verdict }) => [
    guard.protections.map(({ what }) => what).join(' **and** '),
    verdict === 'shown' ? guard.invariants.join(', ') : 'not shown',
    guard.schedule,
  ]);
  return [head, head.map(() => '---'), ...rows].map(line).join('\n');
}

/** What no schedule turns red, and why. */
export function markdownOfUnshown(): string {
  const head = ['what also protects', 'why nothing turns red'];
  const rows = unshown.map(({ name, where, why }) => [`${name} (${link(where)})`, why]);
  return [head, head.map(() => '---'), ...rows].map(line).join('\n');
}

function cells(shown: Shown): string[] {
  const { guard } = shown;
  return [
    guard.name,
    `${guard.protections.map(({ what }) => what).join(' **and** ')} (${link(guard.where)})`,
    guard.invariants.join(', '),
    guard.schedule,
    ...(shown.verdict === 'shown'
      ? ['green', `red: ${withoutIds(shown.row)}`]
      : ['not shown', withoutIds(shown.because).slice(0, 500)]),
  ];
}

const line = (texts: readonly string[]): string =>
  `| ${texts.map((text) => text.replaceAll('|', '\\|')).join(' | ')} |`;
const link = (path: string): string => `[${path.split('/').at(-1) ?? path}](../${path})`;

/** Ids differ from run to run, and say nothing to whoever reads the table. */
function withoutIds(text: string): string {
  return text.replaceAll(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, '…');
}

const root = fileURLToPath(new URL('../../../../', import.meta.url));
const page = `${root}docs/guards.md`;
const readme = `${root}README.md`;
const shownMarkers = ['<!-- npm run guards -- --write -->', '<!-- end of the table -->'] as const;
const unshownMarkers = ['<!-- not shown -->', '<!-- end of what is not shown -->'] as const;

/** Puts the tables between the markers of docs/guards.md, and the short one into README.md. Answers the pages' paths. */
export async function writeTables(shown: readonly Shown[]): Promise<readonly string[]> {
  const text = await readFile(page, 'utf8');
  const withTable = between(text, shownMarkers, markdown(shown));
  await writeFile(page, between(withTable, unshownMarkers, markdownOfUnshown()));
  await writeFile(readme, between(await readFile(readme, 'utf8'), shownMarkers, markdownInShort(shown)));
  return [page, readme].map((path) => relative(process.cwd(), path));
}

/** Replaces what stands between the markers. Throws when they are not there once, in their order. */
export function between(text: string, [start, end]: readonly [string, string], table: string): string {
  const [before, rest, more] = text.split(start);
  const [, after, evenMore] = rest?.split(end) ?? [];
  if (before === undefined || after === undefined || more !== undefined || evenMore !== undefined)
    throw new Error(`the page must have ${start} and ${end} once each`);
  return `${before}${start}\n\n${table}\n\n${end}${after}`;
}
