/**
 * A piece of SQL with its values. Parameters are written $1…$n from the piece's own point of view,
 * so that pieces written in different rooms can travel to the database together. Arrays among the values are the rows
 * that a write is about: a write whose arrays are all empty is not sent.
 */
export interface Part {
  readonly name: string;
  readonly text: string;
  readonly values: readonly unknown[];
}

export interface Statement {
  readonly name: string;
  readonly text: string;
  readonly values: readonly unknown[];
}

interface Composed {
  readonly name: string;
  readonly text: string;
}

// One text per combination of pieces: the database then plans each combination once per connection.
const writes = new Map<string, Composed>();
const reads = new Map<string, Composed>();

/**
 * Writes that travel as one statement: each part is an INSERT, UPDATE or DELETE that ends in RETURNING.
 * The answer is one row with the number of rows each part touched, under the part's name.
 * All parts see the same snapshot and not each other's effects (Postgres manual, 7.8.4), so what a part
 * depends on must be locked and loaded before. One round trip instead of one per table: docs/adr/0001.
 */
export function writeTogether(parts: readonly Part[]): Statement {
  return compose(writes, 'w', parts, (name) => `(SELECT count(*) FROM "${name}")::int AS "${name}"`);
}

/**
 * The parts that have rows to write. Most steps leave half of what they could write alone (no dead letter, nothing to
 * schedule), and an empty part costs as much to bind, start and count as a full one.
 */
export function partsWithRows(parts: readonly Part[]): Part[] {
  return parts.filter(({ values }) => {
    const arrays = values.filter((value) => Array.isArray(value));
    return arrays.length === 0 || arrays.some((rows) => rows.length > 0);
  });
}

/**
 * Reads that travel as one statement and see one snapshot: each part is a SELECT.
 * The answer is one row with the rows of each part as a JSON array, under the part's name.
 */
export function readTogether(parts: readonly Part[]): Statement {
  return compose(
    reads,
    'r',
    parts,
    (name) => `(SELECT coalesce(json_agg("${name}"), '[]'::json) FROM "${name}") AS "${name}"`,
  );
}

/** Milliseconds since the epoch, by the database's clock: the only clock of a step. A part for readTogether. */
export const databaseClock: Part = {
  name: 'clock',
  text: `SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now`,
  values: [],
};

function compose(
  known: Map<string, Composed>,
  prefix: string,
  parts: readonly Part[],
  column: (name: string) => string,
): Statement {
  const key = parts.map((part) => part.name).join('+');
  let composed = known.get(key);
  if (!composed) {
    let taken = 0;
    const bodies = parts.map((part) => {
      const offset = taken;
      taken += part.values.length;
      const text = part.text.replaceAll(/\$(\d+)/g, (_, index: string) => `$${Number(index) + offset}`);
      return `"${part.name}" AS (\n${text}\n)`;
    });
    const text = `WITH ${bodies.join(',\n')}\nSELECT ${parts.map((part) => column(part.name)).join(', ')}`;
    composed = { name: `${prefix}${known.size + 1}`, text };
    known.set(key, composed);
  }
  return { ...composed, values: parts.flatMap((part) => part.values) };
}
