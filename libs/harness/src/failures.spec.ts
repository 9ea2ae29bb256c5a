import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';

const docs = fileURLToPath(new URL('../../../docs/', import.meta.url));
const page = readFileSync(join(docs, 'failures.md'), 'utf8');

interface Row {
  readonly failure: string;
  readonly tests: readonly { readonly name: string; readonly file: string }[];
}

/** The rows of the tables that name tests. */
function rowsOf(text: string): Row[] {
  return text.split('\n').flatMap((line) => {
    const cells = line.split(' | ');
    if (!line.startsWith('| ') || cells.length !== 3 || line.startsWith('| case |')) return [];
    const [failure = '', , last = ''] = cells;
    const links = [...last.matchAll(/\[([^\]]+)\]\(([^)#]+)\)/g)];
    return [
      {
        failure: failure.slice(2),
        tests: links.map(([, name = '', file = '']) => ({ name, file })),
      },
    ];
  });
}

/** Whether it is the first argument of a call there: of `it`, `describe`, or what their `each` answers. */
function isNamedIn(source: string, name: string): boolean {
  const literal = name.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
  return new RegExp(`(?<!\\.(?:skip|todo|failing))\\(\\s*(['"\`])${literal}\\1,`).test(source);
}

describe('the page of failures', () => {
  const rows = rowsOf(page);

  it('has a test for every row', () => {
    expect(rows.filter(({ tests }) => tests.length === 0).map(({ failure }) => failure)).toEqual([]);
    expect(rows.length).toBeGreaterThan(40);
  });

  it('names only tests that are there, word by word', () => {
    const missing = rows.flatMap(({ tests }) =>
      tests.flatMap(({ name, file }) => {
        const path = join(docs, file);
        const source = existsSync(path) ? readFileSync(path, 'utf8') : '';
        return name
          .split(' › ')
          .filter((part) => !isNamedIn(source, part))
          .map((part) => `${file}: ${part}`);
      }),
    );
    expect(missing).toEqual([]);
  });
});
