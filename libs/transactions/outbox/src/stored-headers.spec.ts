import { describe, expect, it } from '@jest/globals';
import { plainText, readHeaders, storeHeaders } from './stored-headers.js';

const through = (headers: Record<string, Buffer>): [string, Buffer][] =>
  Object.entries(
    readHeaders(JSON.parse(JSON.stringify(storeHeaders(headers))) as ReturnType<typeof storeHeaders>),
  ).map(([name, value]) => [name, Buffer.from(value)]);

describe('headers as the database holds them', () => {
  it('keeps text readable', () => {
    expect(storeHeaders({ ce_id: 'x', traceparent: Buffer.from('00-ü') })).toEqual({
      ce_id: 'x',
      traceparent: '00-ü',
    });
  });

  it.each([
    ['text', 'plain', Buffer.from('größe')],
    ['nothing', 'empty', Buffer.alloc(0)],
    ['bytes that are no UTF-8', 'raw', Buffer.from([0xff, 0xfe, 0x00])],
    ['U+0000, which jsonb refuses', 'nul', Buffer.from('a\u0000b')],
    ['a byte order mark', 'bom', Buffer.from([0xef, 0xbb, 0xbf, 0x61])],
    ['a name with U+0000', 'n\u0000ul', Buffer.from('x')],
    ['a name that looks encoded', 'base64:eA==', Buffer.from('x')],
    ['a name that objects have already', '__proto__', Buffer.from('x')],
  ])('gives %s back to the byte', (_, name, value) => {
    const headers = Object.fromEntries([[name, value]]);
    expect(JSON.stringify(storeHeaders(headers))).not.toContain('\\u0000');
    expect(through(headers)).toEqual([[name, value]]);
  });

  it('takes no bytes for text that Postgres could not hold', () => {
    expect(plainText(Buffer.from('a\u0000'))).toBeNull();
    expect(plainText(Buffer.from([0xc3]))).toBeNull();
    expect(plainText(Buffer.from('ok'))).toBe('ok');
  });
});
