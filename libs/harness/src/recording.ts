import type { Databases } from './databases.js';
import { SERVICES, type ServiceName } from './system.js';

/** What a service wrote into its outbox, kept when the relay has deleted it. */
export interface WrittenRow {
  readonly seq: number;
  readonly id: string;
  readonly topic: string;
  readonly partition: number;
  readonly key: string | null;
  readonly messageId: string | null;
  readonly type: string | null;
  readonly causationId: string | null;
  readonly deadLetterId: string | null;
  /** md5 of the value. */
  readonly digest: string;
}

/** A change of a row that is guarded by a fence or an owner. `nr` orders the changes of one row, and of a lease and what it guards. */
export interface GuardedChange<Row> {
  readonly nr: number;
  /** The transaction. */
  readonly xid: number;
  /** Whose connection it was: the instance of a service. */
  readonly by: string;
  readonly op: 'INSERT' | 'UPDATE' | 'DELETE';
  readonly before: Row | null;
  readonly after: Row | null;
}

export interface InboxRow {
  readonly consumer: string;
  readonly messageId: string;
  readonly outcome: string;
}
export interface Lease {
  readonly partition: number;
  readonly owner: string;
  readonly fence: number;
}
export interface DueRow {
  readonly kind: string;
  readonly key: string;
  readonly owner: string | null;
  readonly fence: number;
}
export interface SagaRow {
  readonly id: string;
  readonly version: number;
  readonly state: {
    readonly phase: string;
    readonly decision: { readonly approved: boolean } | null;
    readonly steps: Readonly<Record<string, { readonly status: string; readonly attempt?: number }>>;
  };
}
export interface OrderRow {
  readonly id: string;
  readonly status: string;
  readonly settlement: string;
}
export interface KeptLetter {
  readonly id: string;
  readonly consumer: string;
  readonly topic: string;
  readonly messageId: string;
  readonly reason: string;
  readonly status: string;
}
export interface RemovedRow {
  readonly seq: number;
  readonly partition: number;
}

// Column expressions over OLD or NEW, named `row` here. Whatever may hold strange bytes is kept as hex: a trigger that
// throws would change what it watches.
const watched = {
  outbox: {
    events: 'INSERT OR DELETE',
    kept: `jsonb_build_object('seq', row.seq, 'id', row.id, 'topic', row.topic, 'partition', row.partition,
      'key', encode(row.key, 'hex'), 'messageId', row.headers ->> 'ce_id', 'type', row.headers ->> 'ce_type',
      'causationId', row.headers ->> 'ce_causationid',
      'deadLetterId', row.headers ->> 'faultline_dead_letter_id', 'digest', md5(coalesce(row.value, '')))`,
  },
  dead_letter: {
    events: 'INSERT OR UPDATE OR DELETE',
    kept: `jsonb_build_object('id', row.id, 'consumer', row.consumer, 'topic', row.topic,
      'messageId', row.message_id, 'reason', row.reason, 'status', row.status)`,
  },
  inbox: {
    events: 'INSERT OR UPDATE OR DELETE',
    kept: `jsonb_build_object('consumer', row.consumer, 'messageId', row.message_id, 'outcome', row.outcome)`,
  },
  relay_lease: {
    events: 'INSERT OR UPDATE OR DELETE',
    kept: `jsonb_build_object('partition', row.partition, 'owner', row.owner, 'fence', row.fence)`,
  },
  due_work: {
    events: 'INSERT OR UPDATE OR DELETE',
    kept: `jsonb_build_object('kind', row.kind, 'key', row.key, 'owner', row.owner, 'fence', row.fence)`,
  },
  saga: {
    events: 'INSERT OR UPDATE OR DELETE',
    kept: `jsonb_build_object('id', row.id, 'version', row.version, 'state', row.state)`,
  },
  orders: {
    events: 'INSERT OR UPDATE OR DELETE',
    kept: `jsonb_build_object('id', row.id, 'status', row.status, 'settlement', row.settlement)`,
  },
} as const;

type Watched = keyof typeof watched;
const everywhere: readonly Watched[] = ['outbox', 'dead_letter', 'inbox', 'relay_lease', 'due_work'];
const tablesOf: Readonly<Record<ServiceName, readonly Watched[]>> = {
  order: [...everywhere, 'saga', 'orders'],
  inventory: everywhere,
  payment: everywhere,
};

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

function installation(tables: readonly Watched[]): string {
  return `BEGIN;
CREATE SCHEMA faultline_harness;
CREATE TABLE faultline_harness.change (
  nr BIGSERIAL PRIMARY KEY,
  xid BIGINT NOT NULL DEFAULT pg_current_xact_id()::text::bigint,
  by TEXT NOT NULL DEFAULT current_setting('application_name'),
  of TEXT NOT NULL,
  op TEXT NOT NULL,
  before JSONB,
  after JSONB
);
${tables.map(watch).join('\n')}
COMMIT;`;
}

function watch(table: Watched): string {
  const { events, kept } = watched[table];
  const of = (row: string): string => kept.replaceAll('row.', `${row}.`);
  return `
LOCK TABLE public.${table} IN SHARE ROW EXCLUSIVE MODE;
INSERT INTO faultline_harness.change (of, op, after)
SELECT '${table}', 'INSERT', ${of('known')} FROM public.${table} AS known;
CREATE FUNCTION faultline_harness.record_${table}() RETURNS trigger LANGUAGE plpgsql AS $record$
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO faultline_harness.change (of, op, after) VALUES ('${table}', TG_OP, ${of('NEW')});
  ELSIF TG_OP = 'UPDATE' THEN
    INSERT INTO faultline_harness.change (of, op, before, after)
    VALUES ('${table}', TG_OP, ${of('OLD')}, ${of('NEW')});
  ELSE
    INSERT INTO faultline_harness.change (of, op, before) VALUES ('${table}', TG_OP, ${of('OLD')});
  END IF;
  RETURN NULL;
END $record$;
CREATE TRIGGER faultline_harness_record AFTER ${events} ON public.${table}
FOR EACH ROW EXECUTE FUNCTION faultline_harness.record_${table}();`;
}
