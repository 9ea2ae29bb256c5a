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
  deadLetters(service: ServiceName): Promise<GuardedChange<KeptLetter>[]>;
  inbox(service: ServiceName): Promise<GuardedChange<InboxRow>[]>;
  leases(service: ServiceName): Promise<GuardedChange<Lease>[]>;
  dueWork(service: ServiceName): Promise<GuardedChange<DueRow>[]>;
  sagas(): Promise<GuardedChange<SagaRow>[]>;
  orders(): Promise<GuardedChange<OrderRow>[]>;
}

/** Begins to record. The databases must have been migrated; what they hold already counts as inserted now. */
export async function startRecording(databases: Databases): Promise<Recording> {
  for (const service of SERVICES) await databases.read(service, installation(tablesOf[service]));

  const changes = <Row>(
    service: ServiceName,
    table: Watched,
    where = 'true',
  ): Promise<GuardedChange<Row>[]> =>
    databases.read<GuardedChange<Row>>(
      service,
      `SELECT nr, xid, by, op, before, after FROM faultline_harness.change
       WHERE of = $1 AND ${where} ORDER BY nr`,
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
    deadLetters: (service) => changes(service, 'dead_letter'),
    inbox: (service) => changes(service, 'inbox'),
    leases: (service) => changes(service, 'relay_lease'),
    dueWork: (service) => changes(service, 'due_work'),
    sagas: () => changes('order', 'saga'),
    orders: () => changes('order', 'orders'),
  };
}
