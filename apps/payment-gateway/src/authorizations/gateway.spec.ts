import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { AuthorizeCard } from '@faultline/contracts';
import { Problem } from '@faultline/http-server';
import { viewOf } from './authorization.js';
import { Book } from './book.js';
import { Gateway, unanswered } from './gateway.js';

let folder: string;
let book: Book;
let gateway: Gateway;
/** What works at this moment goes on when this is called. */
let finish: () => void = () => undefined;

function open(): void {
  book = new Book(join(folder, 'books.sqlite'));
  gateway = new Gateway({
    book,
    now: () => '2030-01-01T00:00:00.000Z',
    pause: (_, hurry) =>
      new Promise((resolve) => {
        finish = resolve;
        hurry.addEventListener('abort', () => resolve());
      }),
  });
}
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gateway-'));
  open();
});
afterEach(() => {
  book.close();
  rmSync(folder, { recursive: true });
});

const reference = '0190a7b0-0000-7000-8000-000000000001';
const of = (cardToken: string, amount = 900) => ({ reference, amount, currency: 'EUR' as const, cardToken });
const asked = (call: () => Promise<unknown>): Promise<unknown> =>
  Promise.resolve()
    .then(call)
    .catch((error: unknown) => (error instanceof Problem ? error.status : error));
/** The process goes on. */
const never = new AbortController().signal;
const authorize = (card = 'card-ok', key = 'a', hurry = never) =>
  asked(() => gateway.authorize(of(card), key, hurry));
const change = (verb: 'capture' | 'void' | 'refund', key: string = verb) =>
  asked(() => gateway.change(reference, verb, key, never));

describe('the gateway', () => {
  it('authorizes, captures and refunds, and has it in its sums', async () => {
    expect(await authorize()).toMatchObject({ status: 'AUTHORIZED', amount: 900, declineReason: null });
    expect(book.sums()).toEqual({ authorizations: 1, held: 900, captured: 0, refunded: 0 });
    expect(await change('capture')).toMatchObject({ status: 'CAPTURED' });
    expect(book.sums()).toEqual({ authorizations: 1, held: 0, captured: 900, refunded: 0 });
    expect(await change('refund')).toMatchObject({ status: 'REFUNDED' });
    expect(book.sums()).toEqual({ authorizations: 1, held: 0, captured: 900, refunded: 900 });
  });

  it('declines a card as an answer, remembers it, and holds nothing', async () => {
    expect(await authorize('card-declined')).toMatchObject({
      status: 'DECLINED',
      declineReason: 'insufficient_funds',
    });
    expect(book.find(reference)?.status).toBe('DECLINED');
    expect(book.sums().held).toBe(0);
    expect(await change('capture')).toBe(409);
    expect(await change('void')).toBe(409);
  });

  it('declines a card that it does not know', async () => {
    expect(await authorize('card-of-somebody')).toMatchObject({ declineReason: 'unknown_card' });
  });

  it('never answers with the card', async () => {
    expect(JSON.stringify(await authorize())).not.toContain('card-ok');
  });

  it.each([
    ['a capture of what is voided', 'void', 'capture'],
    ['a void of what is captured', 'capture', 'void'],
    ['a refund of what is only held', null, 'refund'],
  ] as const)('refuses %s, and nothing changes', async (_, first, then) => {
    await authorize();
    if (first) await change(first);
    const before = book.find(reference);
    expect(await change(then)).toBe(409);
    expect(book.find(reference)).toEqual(before);
  });

  it('refuses a refund of what is only held, and binds no key to that: it may be captured yet', async () => {
    await authorize();
    expect(await change('refund')).toBe(409);
    await change('capture');
    expect(await change('refund')).toMatchObject({ status: 'REFUNDED' });
  });

  it('holds nothing for an order that costs nothing, and authorizes it', async () => {
    const free = AuthorizeCard.parse(of('card-ok', 0));
    expect(await asked(() => gateway.authorize(free, 'a', never))).toMatchObject({ status: 'AUTHORIZED' });
  });

  it('does not know what was never authorized, and binds no key to that', async () => {
    expect(await change('capture')).toBe(404);
    await authorize();
    expect(await change('capture')).toMatchObject({ status: 'CAPTURED' });
  });
});

describe('a key', () => {
  it('gets the first answer again, whatever has happened since', async () => {
    const first = await authorize();
    await change('capture');
    expect(await authorize()).toEqual(first);
    expect(book.sums()).toMatchObject({ authorizations: 1, captured: 900 });
  });

  it('belongs to one request', async () => {
    await authorize();
    expect(await asked(() => gateway.authorize(of('card-ok', 901), 'a', never))).toBe(422);
    expect(await change('capture', 'a')).toBe(422);
    expect(book.find(reference)).toMatchObject({ status: 'AUTHORIZED', amount: 900 });
  });

  it('of its own does not authorize a reference twice', async () => {
    await authorize();
    expect(await authorize('card-ok', 'b')).toBe(422);
    expect(book.sums()).toMatchObject({ authorizations: 1, held: 900 });
  });

  it('repeats a verb that is done without doing it again', async () => {
    await authorize();
    await change('capture', 'one');
    expect(await change('capture', 'two')).toMatchObject({ status: 'CAPTURED' });
    expect(book.sums()).toMatchObject({ captured: 900, refunded: 0 });
  });

  it('is refused while its first request is worked on, and answered when that has ended', async () => {
    const first = authorize('card-slow');
    await new Promise(setImmediate);
    expect(await authorize('card-slow')).toBe(409);
    finish();
    expect(await first).toMatchObject({ status: 'AUTHORIZED' });
    expect(await authorize('card-slow')).toEqual(await first);
  });

  it('and its effect outlive the process', async () => {
    const first = await authorize();
    book.close();
    open();
    expect(await authorize()).toEqual(first);
    expect(book.find(reference)).toMatchObject({ status: 'AUTHORIZED', amount: 900 });
  });

  it('has no effect without its answer, and no answer without its effect', async () => {
    const createdAt = '2030-01-01T00:00:00.000Z';
    const held = { ...of('card-ok'), status: 'AUTHORIZED', declineReason: null, createdAt } as const;
    book.keep('a', { authorize: 1 }, viewOf(held), held);
    // The key is there already: nothing of the second transaction may stay.
    const captured = { ...held, status: 'CAPTURED' } as const;
    expect(() => book.keep('a', {}, viewOf(captured), captured)).toThrow();
    expect(book.find(reference)?.status).toBe('AUTHORIZED');
    book.keep('b', {}, viewOf(captured), captured);
    expect(book.find(reference)?.status).toBe('CAPTURED');
  });
});

describe('a card', () => {
  it('that is slow has done nothing when the process dies in between', async () => {
    void authorize('card-slow');
    await new Promise(setImmediate);
    book.close();
    open();
    expect(book.find(reference)).toBeUndefined();
    const again = authorize('card-slow');
    await new Promise(setImmediate);
    finish();
    expect(await again).toMatchObject({ status: 'AUTHORIZED' });
  });

  it('that times out is authorized and never answered: a lookup finds it, and it can be captured', async () => {
    const silent = Symbol('silent');
    const soon = new Promise((resolve) => setTimeout(resolve, 20, silent));
    expect(await Promise.race([authorize('card-timeout'), soon])).toBe(silent);
    expect(book.find(reference)?.status).toBe('AUTHORIZED');
    expect(await Promise.race([authorize('card-timeout'), soon])).toBe(silent);
    expect(await change('capture')).toMatchObject({ status: 'CAPTURED' });
  });

  it('that is slow or silent does not hold up a stop: the one is answered, the other given up', async () => {
    const stop = new AbortController();
    const slow = authorize('card-slow', 'a', stop.signal);
    await new Promise(setImmediate);
    stop.abort();
    expect(await slow).toMatchObject({ status: 'AUTHORIZED' });
    expect(
      await asked(() =>
        gateway.authorize({ ...of('card-timeout'), reference: randomUUID() }, 'b', stop.signal),
      ),
    ).toBe(unanswered);
    expect(book.sums()).toMatchObject({ authorizations: 2, held: 1800 });
  });

  it('that is flaky fails every second attempt, and has done nothing then', async () => {
    expect(await authorize('card-flaky')).toBe(503);
    expect(book.find(reference)).toBeUndefined();
    expect(await authorize('card-flaky')).toMatchObject({ status: 'AUTHORIZED' });
    expect(await change('capture')).toBe(503);
    expect(book.find(reference)?.status).toBe('AUTHORIZED');
    expect(await change('capture')).toMatchObject({ status: 'CAPTURED' });
  });
});

it('the entries of the book come page by page, each once', async () => {
  for (let n = 0; n < 5; n += 1)
    await gateway.authorize(
      { ...of('card-ok'), reference: `0190a7b0-0000-7000-8000-00000000000${n}` },
      `key-${n}`,
      never,
    );
  const first = book.entries(0, 3);
  const rest = book.entries(first.at(-1)?.nr ?? 0, 3);
  expect([...first, ...rest].map(({ entry }) => entry.reference.at(-1))).toEqual(['0', '1', '2', '3', '4']);
});

it('the books are held by one process', () => {
  expect(() => new Book(join(folder, 'books.sqlite'))).toThrow(/books\.sqlite cannot be opened/);
  book.close();
  open();
});
