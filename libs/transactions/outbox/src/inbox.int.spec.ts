import { randomUUID } from 'node:crypto';
import { type Database, DatabaseUnavailable, type Part, type Transaction } from '@faultline/database';
import { encodeHeaders, type Envelope, type ReceivedRecord } from '@faultline/messaging';
import { testDatabase } from '@faultline/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import {
  type Batch,
  BatchRecord,
  consumeInSteps,
  listDeadLetters,
  messageDecoder,
  type OutgoingMessage,
  redrive,
  seenPart,
  type StepConsumerOptions,
  sweepInbox,
  sweepRedriven,
} from './index.js';
import { takeWaiting } from './waiting.js';

let database: Database;
let drop: () => Promise<void>;

beforeAll(async () => {
  ({ database, drop } = await testDatabase(new URL('../../prisma/', import.meta.url)));
  await database.pool.query(
    "CREATE TABLE effect (what text NOT NULL CHECK (what <> 'refused'), message_id text)",
  );
});
beforeEach(() => database.pool.query('TRUNCATE outbox, inbox, dead_letter, effect RESTART IDENTITY'));
afterAll(() => drop());

type Note = Envelope & {
  readonly kind: { readonly type: string; readonly topic: string };
  readonly body: { what: string };
};

const kind = { type: 'faultline.test.note.v1', topic: 'notes', body: z.object({ what: z.string() }) };
const settings = { source: '/test', partitionsOf: () => 3, now: 0 };
const note = (
  what: unknown,
  headers: Record<string, string | Buffer | null> = {},
  change: Partial<ReceivedRecord> = {},
): ReceivedRecord => {
  const orderId = randomUUID();
  const given: Record<string, string | Buffer | null> = {
    ...encodeHeaders({
      id: randomUUID(),
      type: kind.type,
      source: '/test',
      subject: orderId,
      time: new Date(0).toISOString(),
      correlationId: orderId,
      causationId: null,
      deadline: null,
      traceparent: null,
    }),
    ...headers,
  };
  const bytes = Object.entries(given).flatMap(([name, value]) =>
    value === null ? [] : [[name, Buffer.from(value)]],
  );
  return {
    topic: 'notes',
    partition: 1,
    offset: String((offset += 1)),
    key: Buffer.from(orderId),
    value: Buffer.from(JSON.stringify({ what })),
    headers: Object.fromEntries(bytes) as Record<string, Buffer>,
    ...change,
  };
};
let offset = 0;

const effects = (incoming: readonly { message: Note }[]): Part => ({
  name: 'effect',
  text: 'INSERT INTO effect (what, message_id) SELECT * FROM unnest($1::text[], $2::text[]) RETURNING 1',
  values: [incoming.map(({ message }) => message.body.what), incoming.map(({ message }) => message.id)],
});
const reply = (orderId: string): OutgoingMessage => ({
  kind: { type: 'faultline.test.reply.v1', topic: 'replies' },
  body: {},
  orderId,
  id: randomUUID(),
  correlationId: orderId,
  causationId: null,
  deadline: null,
  traceparent: null,
});

/** Writes each note down and answers it; lets a test look in between load and save. */
const step =
  (between: () => Promise<void> | void = () => undefined) =>
  async (tx: Transaction, batch: Batch<Note>): Promise<void> => {
    const { seen = [] } = await tx.read([seenPart(batch)]);
    const record = new BatchRecord(batch, seen);
    for (const incoming of record.fresh) {
      if (incoming.message.body.what === 'ignore') record.ignored(incoming);
      else if (incoming.message.body.what === 'expire') record.expired(incoming);
      else if (incoming.message.body.what === 'impossible')
        record.deadLetter(incoming, 'CONTRADICTION', 'no');
      else record.applied(incoming);
    }
    await between();
    const applied = record.fresh.filter(
      ({ message }) => !['ignore', 'expire', 'impossible'].includes(message.body.what),
    );
    await tx.write([
      effects(applied),
      ...record.parts(
        applied.map(({ message }) => reply(message.subject)),
        settings,
      ),
    ]);
  };

const control = { heartbeat: async () => undefined, isCurrent: () => true };
const consume = (
  records: readonly ReceivedRecord[],
  options: Partial<StepConsumerOptions<Note>> = {},
): Promise<void> =>
  consumeInSteps<Note>({
    database,
    consumer: 'notes',
    decode: messageDecoder([kind]),
    step: step(),
    ...options,
  })(records, control);
const column = async (sql: string): Promise<unknown[]> =>
  (await database.pool.query<{ v: unknown }>(sql)).rows.map(({ v }) => v);
const written = (): Promise<unknown[]> => column('SELECT what AS v FROM effect ORDER BY what');
const outcomes = (): Promise<unknown[]> => column('SELECT outcome AS v FROM inbox ORDER BY outcome');
const idOf = (record: ReceivedRecord): string => String(record.headers['ce_id']);
/** What the relay would publish, as its topic would give it back. */
const published = async (topic: string): Promise<ReceivedRecord[]> =>
  (await takeWaiting(database, [0, 1, 2]))
    .filter(({ record }) => record.topic === topic)
    .map(({ record }) => ({
      ...record,
      offset: String((offset += 1)),
      key: record.key === null ? null : Buffer.from(record.key),
      headers: Object.fromEntries(
        Object.entries(record.headers).map(([name, value]) => [name, Buffer.from(value)]),
      ),
    }));

describe('a batch', () => {
  it('is one transaction: effects, outcomes and replies', async () => {
    let steps = 0;
    await consume([note('a'), note('b'), note('ignore'), note('expire'), note('impossible')], {
      step: (tx, batch) => {
        steps += 1;
        return step()(tx, batch);
      },
    });
    expect(steps).toBe(1);
    expect(await written()).toEqual(['a', 'b']);
    expect(await outcomes()).toEqual(['applied', 'applied', 'dead-lettered', 'expired', 'ignored']);
    expect(await published('replies')).toHaveLength(2);
    expect(await published('notes.dlt')).toHaveLength(1);
  });

  it('takes effect once when it is repeated, as after a death between commit and offset', async () => {
    const batch = [note('a'), note('b')];
    await consume(batch);
    await consume(batch);
    await consume([...batch].reverse());
    expect(await written()).toEqual(['a', 'b']);
    expect(await published('replies')).toHaveLength(2);
  });

  it('takes a message that it holds twice once', async () => {
    const twice = note('a');
    await consume([twice, { ...twice, offset: '999' }]);
    expect(await written()).toEqual(['a']);
  });

  it('takes a message once that two consumers handle at the same moment', async () => {
    const batch = [note('a'), note('b'), note('c')];
    let arrived = 0;
    let meet: () => void = () => undefined;
    const met = new Promise<void>((resolve) => (meet = resolve));
    const together = async (): Promise<void> => {
      if ((arrived += 1) === 2) meet();
      await met;
    };
    await Promise.all([
      consume(batch, { step: step(together) }),
      consume([...batch].reverse(), { step: step(together) }),
    ]);
    expect(arrived).toBeGreaterThan(2);
    expect(await written()).toEqual(['a', 'b', 'c']);
    expect(await outcomes()).toEqual(['applied', 'applied', 'applied']);
    expect(await listDeadLetters(database)).toMatchObject({ items: [] });
  });

  it('lets two consumers of one database each take a message once', async () => {
    const one = note('a');
    await consume([one]);
    await consume([one], { consumer: 'others' });
    expect(await written()).toEqual(['a', 'a']);
  });

  it('runs what the step answered after the commit, and not again when that fails', async () => {
    const seen: unknown[] = [];
    await consume([note('a')], {
      step: async (tx, batch) => {
        await step()(tx, batch);
        return () => {
          seen.push('committed');
          throw new Error('a listener failed');
        };
      },
    });
    expect(seen).toEqual(['committed']);
    expect(await written()).toEqual(['a']);
  });

  it('is not saved while a message of it has no outcome', async () => {
    const forgetful = async (tx: Transaction, batch: Batch<Note>): Promise<void> => {
      const { seen = [] } = await tx.read([seenPart(batch)]);
      await tx.write(new BatchRecord(batch, seen).parts([], settings));
    };
    const { incoming } = { incoming: [note('a')] };
    await consume(incoming, { step: forgetful });
    const { items } = await listDeadLetters(database);
    expect(items).toMatchObject([{ reason: 'Error', detail: expect.stringContaining('no outcome for') }]);
  });
});

describe('a poison message', () => {
  it('in mid-batch is dead-lettered in the transaction of its neighbours', async () => {
    let steps = 0;
    const broken = note('x', {}, { value: Buffer.from('{') });
    await consume([note('a'), broken, note('b')], {
      step: (tx, batch) => {
        steps += 1;
        return step()(tx, batch);
      },
    });
    expect(steps).toBe(1);
    expect(await written()).toEqual(['a', 'b']);
    const { items } = await listDeadLetters(database);
    expect(items).toMatchObject([
      { messageId: idOf(broken), reason: 'NOT_JSON', preview: '{', size: 1, type: kind.type, status: 'DEAD' },
    ]);
  });

  it('is logged once it is committed, with its order, its trace and its place, and once only', async () => {
    const said: object[] = [];
    const log = {
      info: () => undefined,
      warn: () => undefined,
      error: (fields: object) => void said.push(fields),
    };
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const broken = note('x', { traceparent }, { value: Buffer.from('{') });
    await consume([note('a'), broken], { log });
    await consume([broken], { log });
    expect(said).toEqual([
      expect.objectContaining({
        order_id: String(broken.headers['ce_subject']),
        trace_id: '0af7651916cd43dd8448eb211c80319c',
        message_id: idOf(broken),
        reason: 'NOT_JSON',
        position: `${broken.topic}/${broken.partition}/${broken.offset}`,
      }),
    ]);
  });

  it('keeps all its bytes in the row, whatever they are', async () => {
    const value = Buffer.from([0x00, 0xff, 0x7b]);
    const raw = note(
      'x',
      { odd: Buffer.from([0xff, 0x00]), ['na\u0000me']: 'x', ce_type: 'ty\u0000pe' },
      { value, key: null },
    );
    await consume([raw]);
    const { rows } = await database.pool.query<{ value: Buffer; key: Buffer | null; type: string | null }>(
      'SELECT value, key, type FROM dead_letter',
    );
    expect(rows).toEqual([{ value, key: null, type: null }]);
    const [letter] = await published('notes.dlt');
    expect(letter?.value).toEqual(value);
    expect(letter?.headers).toMatchObject(raw.headers);
    expect(letter?.partition).toBe(raw.partition);
    expect(String(letter?.headers['faultline_reason'])).toBe('UNKNOWN_TYPE');
  });

  it('of 1 MB is kept in its row, and its .dlt record names the row', async () => {
    const value = Buffer.alloc(1024 * 1024, 'x');
    await consume([note('x', {}, { value }), note('a')]);
    const { items } = await listDeadLetters(database);
    expect(items).toMatchObject([{ size: 1024 * 1024, reason: 'NOT_JSON' }]);
    const [letter] = await published('notes.dlt');
    expect(JSON.parse(String(letter?.value))).toEqual({ deadLetterId: items[0]?.id });
    expect(await written()).toEqual(['a']);
  });

  it('whose text the database refuses (U+0000) is isolated, and its neighbours take effect', async () => {
    const guilty = note('a\u0000b');
    await consume([note('a'), guilty, note('b')]);
    expect(await written()).toEqual(['a', 'b']);
    const { items } = await listDeadLetters(database);
    expect(items).toMatchObject([{ messageId: idOf(guilty), reason: 'SQLSTATE_22021' }]);
    expect(await outcomes()).toEqual(['applied', 'applied', 'dead-lettered']);
  });

  it('that breaks a constraint is isolated', async () => {
    await consume([note('a'), note('refused'), note('b')]);
    expect(await written()).toEqual(['a', 'b']);
    expect((await listDeadLetters(database)).items).toMatchObject([{ reason: 'SQLSTATE_23514' }]);
  });

  it('that the step itself cannot stand is isolated', async () => {
    const fragile = async (tx: Transaction, batch: Batch<Note>): Promise<void> => {
      if (batch.incoming.some(({ message }) => message.body.what === 'bug'))
        throw new TypeError('undefined is not');
      await step()(tx, batch);
    };
    await consume([note('a'), note('bug'), note('b')], { step: fragile });
    expect(await written()).toEqual(['a', 'b']);
    expect((await listDeadLetters(database)).items).toMatchObject([{ reason: 'TypeError' }]);
  });

  it('is kept even when the step refuses to hear of it', async () => {
    const deaf = async (tx: Transaction, batch: Batch<Note>): Promise<void> => {
      if (batch.poison.length > 0) throw new TypeError('no poison please');
      await step()(tx, batch);
    };
    await consume([note('a'), note(1)], { step: deaf });
    expect(await written()).toEqual(['a']);
    expect((await listDeadLetters(database)).items).toHaveLength(1);
    expect(await published('notes.dlt')).toHaveLength(1);
  });

  it('makes one dead letter, however often it comes', async () => {
    const broken = note(1);
    await consume([broken, broken]);
    await consume([broken]);
    expect((await listDeadLetters(database)).items).toHaveLength(1);
  });
});

describe('a failure that is not the messages’', () => {
  it('is thrown, and nothing is resolved or dead-lettered', async () => {
    const away: Database = {
      ...database,
      transaction: () => Promise.reject(new DatabaseUnavailable(new Error('gone'))),
    };
    await expect(consume([note('a')], { database: away })).rejects.toBeInstanceOf(DatabaseUnavailable);
    const missing = async (tx: Transaction): Promise<void> =>
      void (await tx.query({ text: 'SELECT * FROM nowhere' }));
    await expect(consume([note('a')], { step: missing })).rejects.toMatchObject({ code: '42P01' });
    expect((await listDeadLetters(database)).items).toEqual([]);
    expect(await outcomes()).toEqual([]);
  });

  it('that another try may mend is tried again', async () => {
    let tries = 0;
    const stale = async (tx: Transaction, batch: Batch<Note>): Promise<void> => {
      if ((tries += 1) < 3) throw Object.assign(new Error('stale'), { retriable: true });
      await step()(tx, batch);
    };
    await consume([note('a')], { step: stale });
    expect(await written()).toEqual(['a']);
  });

  it('stops the replay when the partitions went to another consumer', async () => {
    const handle = consumeInSteps<Note>({
      database,
      consumer: 'notes',
      decode: messageDecoder([kind]),
      step: step(),
    });
    let asked = 0;
    const leaving = { heartbeat: async () => undefined, isCurrent: () => (asked += 1) < 2 };
    await expect(handle([note('a'), note('refused'), note('b')], leaving)).rejects.toThrow('assigned anew');
    expect(await written()).toEqual(['a']);
  });
});

describe('a redrive', () => {
  const mended = (): Partial<StepConsumerOptions<Note>> => ({
    decode: messageDecoder([{ ...kind, body: z.object({ what: z.coerce.string() }) }]),
  });
  const letterId = async (): Promise<string> => (await listDeadLetters(database)).items[0]?.id ?? '';

  it('applies exactly once, though the message comes again from either side', async () => {
    const broken = note(42);
    await consume([broken]);
    const id = await letterId();
    expect(await redrive(database, id)).toBe('REDRIVEN');
    const [again] = await published('notes');
    if (!again) throw new Error('nothing was sent again');
    expect(again).toMatchObject({
      headers: broken.headers,
      value: broken.value,
      key: broken.key,
      partition: 1,
    });
    await consume([again], mended());
    await consume([again, broken], mended());
    await consume([broken], mended());
    expect(await written()).toEqual(['42']);
    expect(await outcomes()).toEqual(['applied']);
    expect(await redrive(database, id)).toBe('ALREADY_REDRIVEN');
    await consume(await published('notes'), mended());
    expect(await written()).toEqual(['42']);
  });

  it('sends once of two at the same time', async () => {
    await consume([note(42)]);
    const id = await letterId();
    const answers = await Promise.all([redrive(database, id), redrive(database, id)]);
    expect(answers.sort()).toEqual(['ALREADY_REDRIVEN', 'REDRIVEN']);
    expect(await published('notes')).toHaveLength(1);
  });

  it('does not open what had its effect', async () => {
    const one = note(42);
    await consume([one]);
    const id = await letterId();
    await database.pool.query(`UPDATE inbox SET outcome = 'applied'`);
    await redrive(database, id);
    await consume(await published('notes'), mended());
    expect(await written()).toEqual([]);
  });

  it('of a message without an id is known again by its first place in the log', async () => {
    const nameless = note('a', { ce_id: null });
    await consume([nameless]);
    const place = `notes/1/${nameless.offset}`;
    expect((await listDeadLetters(database)).items).toMatchObject([{ reason: 'NO_ID', messageId: place }]);
    await redrive(database, await letterId());
    const [again] = await published('notes');
    expect(String(again?.headers['faultline_redrive_id'])).toBe(place);
    await consume(again ? [again, again] : []);
    expect(await column('SELECT message_id AS v FROM inbox')).toEqual([place]);
    expect((await listDeadLetters(database)).items.map(({ status }) => status).sort()).toEqual([
      'DEAD',
      'REDRIVEN',
    ]);
  });

  it('gives raw bytes back as they came', async () => {
    const raw = note('x', { odd: Buffer.from([0xff, 0x00]) }, { value: null, key: null });
    await consume([raw]);
    await redrive(database, await letterId());
    const [again] = await published('notes');
    expect(again).toMatchObject({ value: null, key: null, headers: raw.headers });
  });

  it('knows no letter that does not exist', async () => {
    expect(await redrive(database, randomUUID())).toBe('UNKNOWN');
    expect(await redrive(database, 'x')).toBe('UNKNOWN');
  });
});

describe('dead letters', () => {
  it('are listed the newest first, page by page', async () => {
    await consume([note(1), note(2), note(3)]);
    const first = await listDeadLetters(database, { limit: 2 });
    expect(first.items).toHaveLength(2);
    const second = await listDeadLetters(database, { limit: 2, cursor: first.nextCursor ?? '' });
    expect(second.nextCursor).toBeNull();
    expect(new Set([...first.items, ...second.items].map(({ id }) => id)).size).toBe(3);
    expect((await listDeadLetters(database, { status: 'REDRIVEN' })).items).toEqual([]);
  });
});

it('forgets inbox rows and redriven letters that are old enough, and no others', async () => {
  await consume([note('a'), note('b'), note(1)]);
  await database.pool.query(
    `UPDATE inbox SET at = clock_timestamp() - interval '1 hour' WHERE message_id = (SELECT message_id FROM effect WHERE what = 'a')`,
  );
  expect(await sweepInbox(database, 60_000)).toBe(1);
  expect(await outcomes()).toEqual(['applied', 'dead-lettered']);
  expect(await sweepRedriven(database, 0)).toBe(0);
  await redrive(database, (await listDeadLetters(database)).items[0]?.id ?? '');
  expect(await sweepRedriven(database, -1000)).toBe(1);
});
