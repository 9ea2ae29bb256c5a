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

/** As much of kafkajs's decoder as a record needs: it stands at the record's attributes, and has no more than it. */
export interface RecordDecoder {
  readonly buffer: Buffer;
  offset: number;
  readVarLong(): { toString(): string };
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
  let count = 0;
  let sizeOfHeaders = 0;
  eachHeader(headers, (name, each) => {
    count += 1;
    sizeOfHeaders += sizeOfBytes(name) + sizeOfBytes(each);
  });
  const size =
    1 +
    sizeOf(timestampDelta) +
    sizeOf(offsetDelta) +
    sizeOfBytes(key) +
    sizeOfBytes(value) +
    sizeOf(count) +
    sizeOfHeaders;

  const buf = Buffer.allocUnsafe(sizeOf(size) + size);
  let at = writeNumber(buf, 0, size);
  // No attribute of a record is in use.
  buf[at] = 0;
  at = writeNumber(buf, at + 1, timestampDelta);
  at = writeNumber(buf, at, offsetDelta);
  at = writeBytes(buf, at, key);
  at = writeBytes(buf, at, value);
  at = writeNumber(buf, at, count);
  eachHeader(headers, (name, each) => {
    at = writeBytes(buf, writeBytes(buf, at, name), each);
  });
  return { buf, buffer: buf };
}

function eachHeader(
  headers: NonNullable<RecordToEncode['headers']>,
  work: (name: string, value: HeaderValue) => void,
): void {
  for (const name of Object.keys(headers)) {
    const given = headers[name];
    if (Array.isArray(given)) for (const each of given as readonly HeaderValue[]) work(name, each);
    else work(name, given as HeaderValue);
  }
}

/**
 * What kafkajs makes of a record, without copying all headers once more for each of them. A name that comes several
 * times has an array of values.
 */
export function decodeRecord(decoder: RecordDecoder, context: BatchContext = {}): object {
  const { firstOffset = '0', firstTimestamp = '0', maxTimestamp, timestampType } = context;
  const reader = new Reader(decoder.buffer, decoder.offset);
  const attributes = reader.byte();
  const timestampDelta = reader.long(decoder);
  const timestamp =
    timestampType === logAppendTime && maxTimestamp ? maxTimestamp : added(firstTimestamp, timestampDelta);
  const offset = added(firstOffset, reader.number());
  const key = reader.bytes();
  const value = reader.bytes();
  // Without a prototype: a header may have the name of something in it.
  const headers = Object.create(null) as Record<string, Buffer | null | (Buffer | null)[]>;
  for (let left = reader.number(); left > 0; left -= 1) {
    const name = String(reader.text());
    const each = reader.bytes();
    const before = headers[name];
    if (before === undefined) headers[name] = each;
    else if (Array.isArray(before)) before.push(each);
    else headers[name] = [before, each];
  }
  decoder.offset = reader.at;
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

/** A decimal of 64 bits and a small number; with numbers where they are exact, for most offsets and times are. */
function added(decimal: string, delta: number | bigint): string {
  const sum = Number(decimal) + Number(delta);
  return Number.isSafeInteger(sum) && Number.isSafeInteger(Number(delta)) && decimal.length < 16
    ? String(sum)
    : String(BigInt(decimal) + BigInt(delta));
}

class Reader {
  constructor(
    private readonly buffer: Buffer,
    public at: number,
  ) {}

  byte(): number {
    this.at += 1;
    return this.buffer.readInt8(this.at - 1);
  }

  number(): number {
    let result = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.buffer.readUInt8(this.at);
      this.at += 1;
      result |= (byte & 0x7f) << shift;
      if (byte < 0x80) return (result >>> 1) ^ -(result & 1);
    }
  }

  long(decoder: RecordDecoder): number | bigint {
    if (this.buffer.readUInt8(this.at) < 0x80) return this.number();
    decoder.offset = this.at;
    const long = BigInt(decoder.readVarLong().toString());
    this.at = decoder.offset;
    return long;
  }

  bytes(): Buffer | null {
    const size = this.number();
    if (size < 0) return null;
    this.at += size;
    return this.buffer.subarray(this.at - size, this.at);
  }

  text(): string | null {
    const size = this.number();
    if (size < 0) return null;
    this.at += size;
    return this.buffer.toString('utf8', this.at - size, this.at);
  }
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
