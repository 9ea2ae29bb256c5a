import { createRequire } from 'node:module';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  type BatchContext,
  decodeRecord,
  encodeRecord,
  type RecordDecoder,
  type RecordToEncode,
} from './lean-records.js';

const require = createRequire(import.meta.url);
// The originals: nothing in this file mends kafkajs.
const theirs = require('kafkajs/src/protocol/recordBatch/record/v0') as (record: RecordToEncode) => {
  buffer: Buffer;
};
const theirDecoder = require('kafkajs/src/protocol/recordBatch/record/v0/decoder') as (
  decoder: RecordDecoder,
  context?: BatchContext,
) => object;
const Decoder = require('kafkajs/src/protocol/decoder') as new (
  buffer: Buffer,
) => RecordDecoder & { readVarInt(): number };

const bytes = fc.uint8Array({ maxLength: 300 }).map((each) => Buffer.from(each));
const text = fc.string({ maxLength: 200, unit: 'binary' }).map((each) => each.toWellFormed());
const headerValue = fc.oneof(bytes, text);
const records = fc.record({
  offsetDelta: fc.integer({ min: 0, max: 2 ** 29 }),
  timestampDelta: fc.integer({ min: -(2 ** 29), max: 2 ** 29 }),
  key: fc.oneof(bytes, text, fc.constant(null)),
  value: fc.oneof(bytes, text, fc.constant(null)),
  headers: fc.dictionary(
    text.filter((name) => !(name in {})),
    fc.oneof(headerValue, fc.array(headerValue, { maxLength: 3 })),
    { maxKeys: 12 },
  ),
});

describe('a record', () => {
  it('has the bytes that kafkajs gives it', () => {
    fc.assert(
      fc.property(records, (record) => {
        expect(encodeRecord(record).buffer.equals(theirs(record).buffer)).toBe(true);
      }),
    );
  });

  it('without offset, time and headers, too', () => {
    const record = { key: null, value: Buffer.from('x') };
    expect(encodeRecord(record).buffer).toEqual(theirs(record).buffer);
  });

  it('is read as kafkajs reads it', () => {
    const contexts = fc.record(
      {
        firstOffset: fc.bigInt({ min: 0n, max: 2n ** 62n }).map(String),
        firstTimestamp: fc.bigInt({ min: 0n, max: 2n ** 42n }).map(String),
        maxTimestamp: fc.bigInt({ min: 0n, max: 2n ** 42n }).map(String),
        magicByte: fc.constant(2),
        isControlBatch: fc.boolean(),
        timestampType: fc.constantFrom(0, 1),
      },
      { requiredKeys: ['firstOffset', 'firstTimestamp'] },
    );
    fc.assert(
      fc.property(records, contexts, (record, context) => {
        const { buffer } = encodeRecord(record);
        const opened = (): RecordDecoder => {
          const decoder = new Decoder(buffer);
          decoder.readVarInt();
          return decoder;
        };
        expect(decodeRecord(opened(), context)).toEqual(theirDecoder(opened(), context));
      }),
    );
  });

  it('may have a header with the name of something that objects have', () => {
    const header = Buffer.from('x');
    const headers = Object.fromEntries([
      ['__proto__', header],
      ['constructor', header],
    ]);
    const decoder = new Decoder(encodeRecord({ key: null, value: null, headers }).buffer);
    decoder.readVarInt();
    expect(Object.entries((decodeRecord(decoder) as { headers: object }).headers)).toEqual([
      ['__proto__', header],
      ['constructor', header],
    ]);
  });
});
