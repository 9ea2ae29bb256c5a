/** A long stretch in which nothing begins or ends; the picture gives it one column, and says how long it was. */
export interface Fold {
  /** Milliseconds since the epoch. */
  readonly from: number;
  readonly to: number;
  readonly column: number;
}

/** Time as columns of a terminal. */
export interface Axis {
  readonly folds: readonly Fold[];
  /** The column of an instant, 0 to `columns` - 1; what lies outside is drawn at the border. */
  column(at: number): number;
}

const worthFolding = 100;

/**
 * Lays out time so that what happened can be told apart: a gap between two instants is folded when it is longer than
 * 100 ms and than everything shorter together. Without that a retry after ten seconds would leave a column for the rest.
 */
export function axisOf(instants: readonly number[], columns: number): Axis {
  const sorted = [...new Set(instants)].sort((a, b) => a - b);
  const pieces = sorted.slice(1).map((to, index) => ({ from: sorted[index] ?? to, to }));
  const long = longest(pieces.map(({ from, to }) => to - from));
  const shown = pieces.reduce((sum, { from, to }) => (long(to - from) ? sum : sum + to - from), 0);
  const folded = pieces.filter(({ from, to }) => long(to - from)).length;
  const perMillisecond = shown === 0 ? 0 : Math.max(0, columns - folded - 1) / shown;

  const folds: Fold[] = [];
  const corners: { at: number; place: number }[] = [];
  let place = 0;
  for (const { from, to } of pieces) {
    corners.push({ at: from, place });
    if (long(to - from)) {
      place = Math.min(Math.floor(place) + 1, columns - 1);
      folds.push({ from, to, column: place });
      place = Math.min(place + 1, columns - 1);
    } else place += (to - from) * perMillisecond;
  }
  corners.push({ at: sorted.at(-1) ?? 0, place });

  return {
    folds,
    column(at) {
      const after = corners.findIndex((corner) => corner.at >= at);
      const next = corners[after === -1 ? corners.length - 1 : after];
      const before = corners[after - 1];
      if (!next) return 0;
      if (!before || next.at === at || next.at === before.at) return clamp(next.place, columns);
      const part = (at - before.at) / (next.at - before.at);
      return clamp(before.place + part * (next.place - before.place), columns);
    },
  };
}

function longest(lengths: readonly number[]): (length: number) => boolean {
  let together = 0;
  for (const length of [...lengths].sort((a, b) => a - b)) {
    if (together > 0 && length >= worthFolding && length > together) return (each) => each >= length;
    together += length;
  }
  return () => false;
}

function clamp(place: number, columns: number): number {
  return Math.max(0, Math.min(columns - 1, Math.floor(place)));
}
