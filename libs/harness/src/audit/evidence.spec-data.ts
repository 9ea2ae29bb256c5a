import type { GuardedChange, WrittenRow } from '../recorded-rows.js';
import type { TappedRecord } from '../tap.js';

/** An outbox row as it was recorded; a reply of inventory unless told otherwise. */
export const written = (row: Partial<WrittenRow> & Pick<WrittenRow, 'seq' | 'id'>): WrittenRow => ({
  topic: 'order.replies',
  partition: 0,
  key: 'order-a',
  messageId: row.id,
  type: 'faultline.participant.command-done.v1',
  causationId: null,
  deadLetterId: null,
  digest: 'd',
  ...row,
});

/** The record that the relay made of it. */
export const recordOf = (
  row: WrittenRow,
  offset: number,
  headers: Record<string, string> = {},
): TappedRecord => ({
  topic: row.topic,
  partition: row.partition,
  offset,
  key: row.key,
  id: row.messageId,
  digest: row.digest,
  headers: { ce_source: '/inventory', ce_type: row.type ?? '', ...headers },
});

let nr = 0;
/** A change as the triggers record it. */
export const change = <Row>(
  before: Row | null,
  after: Row | null,
  { by = 'order-1', xid = 1 }: { readonly by?: string; readonly xid?: number } = {},
): GuardedChange<Row> => ({
  nr: (nr += 1),
  xid,
  by,
  op: before === null ? 'INSERT' : after === null ? 'DELETE' : 'UPDATE',
  before,
  after,
});
