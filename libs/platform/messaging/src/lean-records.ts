/** A record as kafkajs hands it to its encoder. */
export interface RecordToEncode {
  readonly offsetDelta?: number;
  readonly timestampDelta?: number;
  readonly key: Buffer | string | null;
  readonly value: Buffer | string | null;
  readonly headers?: Readonly<Record<string, HeaderValue | readonly HeaderValue[]>>;
}
type HeaderValue = Buffer | string;

/** As much of kafkajs's encoder as its batches ask of a record. */
export interface Encoded {
  readonly buf: Buffer;
  readonly buffer: Buffer;
}

/** As much of kafkajs's decoder as a record needs. */
export interface RecordDecoder {
  readInt8(): number;
  readVarInt(): number;
  readVarLong(): { toString(): string };
  readVarIntString(): string | null;
  readVarIntBytes(): Buffer | null;
}

export interface BatchContext {
  readonly firstOffset?: string;
  readonly firstTimestamp?: string;
  readonly maxTimestamp?: string;
  readonly magicByte?: number;
  readonly isControlBatch?: boolean;
  readonly timestampType?: number;
}

const logAppendTime = 1;

/**
 * A record of Kafka's format 2 (protocol guide, "Record"), the same bytes that kafkajs makes, in one buffer of the right
 * size. kafkajs makes a buffer of 512 bytes for the record, one more for each of its ten headers, and one for each length
 * in them: most of the garbage of a service that publishes.
 */
export function encodeRecord({
  offsetDelta = 0,
  timestampDelta = 0,
  key,
  value,
  headers = {},
}: RecordToEncode): Encoded {
  const pairs: [string, HeaderValue][] = [];
  for (const [name, given] of Object.entries(headers)) {
    if (Array.isArray(given)) for (const each of given as readonly HeaderValue[]) pairs.push([name, each]);
    else pairs.push([name, given as HeaderValue]);
  }
  let size =
    1 +
    sizeOf(timestampDelta) +
    sizeOf(offsetDelta) +
    sizeOfBytes(key) +
    sizeOfBytes(value) +
    sizeOf(pairs.length);
  for (const [name, each] of pairs) size += sizeOfBytes(name) + sizeOfBytes(each);

  const buf = Buffer.allocUnsafe(sizeOf(size) + size);
  let at = writeNumber(buf, 0, size);
  // No attribute of a record is in use.
  buf[at] = 0;
  at = writeNumber(buf, at + 1, timestampDelta);
  at = writeNumber(buf, at, offsetDelta);
  at = writeBytes(buf, at, key);
  at = writeBytes(buf, at, value);
  at = writeNumber(buf, at, pairs.length);
  for (const [name, each] of pairs) at = writeBytes(buf, writeBytes(buf, at, name), each);
  return { buf, buffer: buf };
}

/**
 * What kafkajs makes of a record, without copying all headers once more for each of them. A name that comes several
 * times has an array of values.
 */
export function decodeRecord(decoder: RecordDecoder, context: BatchContext = {}): object {
  const { firstOffset = '0', firstTimestamp = '0', maxTimestamp, timestampType } = context;
  const attributes = decoder.readInt8();
  const timestampDelta = decoder.readVarLong();
  const timestamp =
    timestampType === logAppendTime && maxTimestamp
      ? maxTimestamp
      : String(BigInt(firstTimestamp) + BigInt(timestampDelta.toString()));
  const offset = String(BigInt(firstOffset) + BigInt(decoder.readVarInt()));
  const key = decoder.readVarIntBytes();
  const value = decoder.readVarIntBytes();
  const headers: Record<string, Buffer | null | (Buffer | null)[]> = {};
  for (let left = decoder.readVarInt(); left > 0; left -= 1) {
    const name = String(decoder.readVarIntString());
    const each = decoder.readVarIntBytes();
    const before = headers[name];
    if (before === undefined) headers[name] = each;
    else if (Array.isArray(before)) before.push(each);
    else headers[name] = [before, each];
  }
  return {
    magicByte: context.magicByte,
    attributes,
    timestamp,
    offset,
    key,
    value,
    headers,
    isControlRecord: context.isControlBatch ?? false,
    batchContext: context,
  };
}

/** Whether the value has the same bytes as a variable-length int64 that it has as an int32. */
export function isSmall(value: number): boolean {
  return Number.isInteger(value) && Math.abs(value) < 2 ** 30;
}

// Small numbers come first: 0, -1, 1, -2 become 0, 1, 2, 3, in seven bits per byte.
const zigZag = (value: number): number => ((value << 1) ^ (value >> 31)) >>> 0;

function sizeOf(value: number): number {
  const bits = 32 - Math.clz32(zigZag(value));
  return Math.max(1, Math.ceil(bits / 7));
}

function sizeOfBytes(value: Buffer | string | null): number {
  if (value === null) return 1;
  const size = Buffer.byteLength(value);
  return sizeOf(size) + size;
}

function writeNumber(into: Buffer, from: number, value: number): number {
  let rest = zigZag(value);
  let at = from;
  while (rest > 0x7f) {
    into[at] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
    at += 1;
  }
  into[at] = rest;
  return at + 1;
}

function writeBytes(into: Buffer, from: number, value: Buffer | string | null): number {
  if (value === null) return writeNumber(into, from, -1);
  const size = Buffer.byteLength(value);
  const at = writeNumber(into, from, size);
  if (typeof value === 'string') into.write(value, at, size, 'utf8');
  else value.copy(into, at);
  return at + size;
}
