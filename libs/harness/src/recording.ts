import type { Databases } from './databases.js';
import type {
  DueRow,
  GuardedChange,
  InboxRow,
  KeptLetter,
  Lease,
  OrderRow,
  RemovedRow,
  SagaRow,
  WrittenRow,
} from './recorded-rows.js';
import { installation, tablesOf, type Watched } from './recording-triggers.js';
import { SERVICES, type ServiceName } from './system.js';

/**
 * What services delete or overwrite, recorded by triggers in the transaction that does it: what is rolled back leaves no
 * trace, and what was committed cannot be missed. Nothing of it is in the product.
 */
export interface Recording {
  written(service: ServiceName): Promise<WrittenRow[]>;
  removed(service: ServiceName): Promise<GuardedChange<RemovedRow>[]>;
  /** Dead letters that are gone. */
  goneLetters(service: ServiceName): Promise<GuardedChange<KeptLetter>[]>;
  /** Inbox rows that were changed or deleted. */
  forgotten(service: ServiceName): Promise<GuardedChange<InboxRow>[]>;
  leases(service: ServiceName): Promise<GuardedChange<Lease>[]>;
  dueWork(service: ServiceName): Promise<GuardedChange<DueRow>[]>;
  /** Page by page, at least one: their states are by far the largest of what is kept. */
  sagas(): AsyncIterable<readonly GuardedChange<SagaRow>[]>;
  orders(): Promise<GuardedChange<OrderRow>[]>;
}

const pageSize = 5000;

/** Begins to record. The databases must have been migrated; what they hold already counts as inserted now. */
export async function startRecording(databases: Databases): Promise<Recording> {
  for (const service of SERVICES) await databases.read(service, installation(tablesOf[service]));

  const changes = <Row>(
    service: ServiceName,
    table: Watched,
    where = 'true',
    page = '',
  ): Promise<GuardedChange<Row>[]> =>
    databases.read<GuardedChange<Row>>(
      service,
      `SELECT nr, xid, by, op, before, after FROM faultline_harness.change
       WHERE of = $1 AND ${where} ORDER BY nr ${page}`,
      [table],
    );
  return {
    async written(service) {
      const rows = await changes<WrittenRow>(service, 'outbox', `op = 'INSERT'`);
      return rows.flatMap(({ after }) =>
        after
          ? [{ ...after, key: after.key === null ? null : Buffer.from(after.key, 'hex').toString() }]
          : [],
      );
    },
    removed: (service) => changes(service, 'outbox', `op = 'DELETE'`),
    goneLetters: (service) => changes(service, 'dead_letter', `op = 'DELETE'`),
    forgotten: (service) => changes(service, 'inbox', `op <> 'INSERT'`),
    leases: (service) => changes(service, 'relay_lease'),
    dueWork: (service) => changes(service, 'due_work'),
    async *sagas() {
      let last = 0;
      for (;;) {
        const found = await changes<SagaRow>('order', 'saga', `nr > ${last}`, `LIMIT ${pageSize}`);
        // An empty page beside others would look like a check that had nothing to look at.
        if (found.length > 0 || last === 0) yield found;
        last = found.at(-1)?.nr ?? last;
        if (found.length < pageSize) return;
      }
    },
    orders: () => changes('order', 'orders'),
  };
}
