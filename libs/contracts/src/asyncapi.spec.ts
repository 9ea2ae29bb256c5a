import { readFile } from 'node:fs/promises';
import { describe, expect, it } from '@jest/globals';
import { Parser } from '@asyncapi/parser';
import { asyncApi } from './asyncapi.js';
import { partitionsOf } from './topics.js';

describe('the AsyncAPI document', () => {
  it('is valid AsyncAPI 3', async () => {
    const diagnostics = await new Parser().validate(JSON.stringify(asyncApi()));
    expect(diagnostics.filter((each) => each.severity === 0)).toEqual([]);
  });

  it('is written down as docs/asyncapi.json (npm run asyncapi)', async () => {
    const written = await readFile(new URL('../../../docs/asyncapi.json', import.meta.url), 'utf8');
    expect(JSON.parse(written)).toEqual(JSON.parse(JSON.stringify(asyncApi())));
  });
});

describe('partition counts', () => {
  it('are the same for a topic and its dead letters, and unknown topics are refused', () => {
    expect(partitionsOf('order.replies.dlt')).toBe(partitionsOf('order.replies'));
    expect(() => partitionsOf('order.rumours')).toThrow('in no contract');
  });
});
