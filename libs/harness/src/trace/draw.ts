import { type Picture, type Row, timeColumns } from './layout.js';

export interface DrawOptions {
  readonly colour: boolean;
}

/** The picture as the lines of a terminal, from its columns to its footnotes. */
export function draw(picture: Picture, { colour }: DrawOptions): string[] {
  const { rows, journal, folds, orphans, columns } = picture;
  const paint = (code: number, text: string): string => (colour ? `\x1b[${code}m${text}\x1b[0m` : text);
  const line = (row: Row): string => {
    const text = [
      row.service.padEnd(columns.service),
      row.label.padEnd(columns.label),
      moment(row.offset).padStart(timeColumns - 1),
      (row.duration === null ? '' : duration(row.duration)).padStart(timeColumns - 1),
      '  ',
    ].join('');
    const shade = row.failed
      ? 31
      : row.is === 'orphan'
        ? 33
        : (shades[row.service.replace(/-\d+$/, '')] ?? 37);
    return `${row.failed ? paint(31, text) : text}${paint(shade, row.bar)}`.trimEnd();
  };
  const head = (what: string): string =>
    paint(
      90,
      [
        ''.padEnd(columns.service),
        what.padEnd(columns.label),
        'start'.padStart(timeColumns - 1),
        'took'.padStart(timeColumns - 1),
      ].join(''),
    );
  return [
    head('span'),
    ...rows.map(line),
    ...(journal.length === 0 ? [] : ['', head('journal'), ...journal.map(line)]),
    '',
    ...notes(picture.length, folds, orphans, columns.bar === 0, rows).map((note) => paint(90, note)),
  ];
}

const shades: Readonly<Record<string, number>> = { order: 36, inventory: 32, payment: 35 };

function notes(
  length: number,
  folds: Picture['folds'],
  orphans: number,
  narrow: boolean,
  rows: readonly Row[],
): string[] {
  const failed = rows.filter((row) => row.failed).length;
  return [
    `${duration(length)} from the first to the last instant.`,
    ...folds.map(
      (fold) =>
        `≈ ${duration(fold.length)} from ${moment(fold.offset)} on are folded: nothing begins or ends there.`,
    ),
    ...(rows.some(({ label }) => label.includes('⤺'))
      ? ['⤺ linked to the span that sent it, or to what is named.']
      : []),
    ...(failed === 0 ? [] : [`✗ ${failed === 1 ? 'one span has' : `${failed} spans have`} failed.`]),
    ...(orphans === 0
      ? []
      : [
          `? ${orphans === 1 ? 'one span has a parent' : `${orphans} spans have parents`} that nobody kept: a killed process takes along what it had not written yet, at most about a second.`,
        ]),
    ...(narrow ? ['The terminal is too narrow for bars.'] : []),
  ];
}

/** When something began: to the millisecond, also after a minute, or what follows a retry would all begin at once. */
function moment(milliseconds: number): string {
  if (milliseconds < 10) return `${milliseconds.toFixed(1)} ms`;
  return milliseconds < 10_000 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1000).toFixed(3)} s`;
}

/** `1.2 ms`, `340 ms`, `12.3 s`, `2 min 5 s` */
export function duration(milliseconds: number): string {
  if (milliseconds < 10) return `${milliseconds.toFixed(1)} ms`;
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
  if (milliseconds < 60_000) return `${(milliseconds / 1000).toFixed(1)} s`;
  const seconds = Math.round(milliseconds / 1000);
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}
