/**
 * The text by which Postgres takes these values as an array: what pg makes of them, or the array itself where only pg
 * can tell. pg escapes every text twice and adds it to the rest, which was a sixth of all garbage of a service; JSON's
 * own notation differs from the array's in the brackets, and in the escapes that this looks for.
 */
export function arrayLiteral(values: readonly unknown[]): unknown {
  if (values.length === 0) return '{}';
  for (const value of values) {
    // JSON has no word for NaN and infinity, and would write null.
    if (value === null || Number.isFinite(value)) continue;
    if (typeof value !== 'string' || !value.isWellFormed()) return values;
  }
  const json = JSON.stringify(values);
  return otherEscapes.test(json) ? values : `{${json.slice(1, -1)}}`;
}

// Of control characters; an escaped backslash before such a letter is taken for one, and costs only time.
const otherEscapes = /\\[bfnrtu]/;
