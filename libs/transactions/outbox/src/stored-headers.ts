/**
 * Record headers as `outbox.headers` and `dead_letter.headers` hold them: name -> text, which people can read, or
 * name -> { base64 } for bytes that jsonb could not give back exactly (no UTF-8, or U+0000 in them). A name with U+0000
 * is stored as `base64:…`. Both tables share the form, so a row moves from one to the other as it is.
 */
export type StoredHeaders = Readonly<Record<string, string | { readonly base64: string }>>;

const encodedName = 'base64:';
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export function storeHeaders(headers: Readonly<Record<string, string | Buffer>>): StoredHeaders {
  const stored: Record<string, string | { readonly base64: string }> = {};
  for (const name of Object.keys(headers)) put(stored, storedName(name), storedValue(headers[name] ?? ''));
  return stored;
}

export function readHeaders(stored: StoredHeaders): Record<string, string | Buffer> {
  const headers: Record<string, string | Buffer> = {};
  for (const name of Object.keys(stored)) {
    const value = stored[name] ?? '';
    const read = name.startsWith(encodedName)
      ? fromBase64(name.slice(encodedName.length)).toString('utf8')
      : name;
    put(headers, read, typeof value === 'string' ? value : fromBase64(value.base64));
  }
  return headers;
}

// Not by assignment: a header may have the name of an object's prototype.
function put<T>(into: Record<string, T>, name: string, value: T): void {
  if (name in into)
    Object.defineProperty(into, name, { value, enumerable: true, configurable: true, writable: true });
  else into[name] = value;
}

/** The text of bytes that came from outside; null when they are no UTF-8, or hold what Postgres refuses. */
export function plainText(bytes: Buffer): string | null {
  try {
    const text = utf8.decode(bytes);
    return text.includes('\u0000') ? null : text;
  } catch {
    return null;
  }
}

function storedName(name: string): string {
  return name.includes('\u0000') || name.startsWith(encodedName)
    ? encodedName + Buffer.from(name).toString('base64')
    : name;
}

function storedValue(value: string | Buffer): string | { base64: string } {
  // Our own headers, all of them: nothing to decode.
  if (typeof value === 'string' && value.isWellFormed() && !value.includes('\u0000')) return value;
  const bytes = Buffer.from(value);
  return plainText(bytes) ?? { base64: bytes.toString('base64') };
}

function fromBase64(text: string): Buffer {
  return Buffer.from(text, 'base64');
}
