import { describe, expect, it } from '@jest/globals';
import { Frames, withPort } from './broker-proxy.js';

const frame = (text: string): Buffer => {
  const body = Buffer.from(text, 'latin1');
  const length = Buffer.alloc(4);
  length.writeInt32BE(body.length);
  return Buffer.concat([length, body]);
};
const address = (port: number): string =>
  `127.0.0.1${String.fromCharCode(0, 0, Math.floor(port / 256), port % 256)}`;

describe("the broker's answers", () => {
  it('are put together again, however the network cut them', () => {
    const frames = new Frames();
    const all = Buffer.concat([frame('one'), frame(''), frame('three')]);
    const found = [...all].flatMap((byte) => frames.add(Buffer.from([byte])));
    expect(found.map(String)).toEqual([frame('one'), frame(''), frame('three')].map(String));
    expect(new Frames().add(all)).toHaveLength(3);
  });

  it('name the proxy wherever they named the broker, and nothing else is changed', () => {
    const answer = frame(`metadata ${address(9092)} and ${address(9092)}, not ${address(9093)}`);
    expect(withPort(answer, 9092, 40_000)).toEqual(
      frame(`metadata ${address(40_000)} and ${address(40_000)}, not ${address(9093)}`),
    );
    expect(withPort(frame('records'), 9092, 40_000)).toEqual(frame('records'));
  });
});
