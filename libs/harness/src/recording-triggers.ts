import type { ServiceName } from './system.js';

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

export type Watched = keyof typeof watched;
const everywhere: readonly Watched[] = ['outbox', 'dead_letter', 'inbox', 'relay_lease', 'due_work'];
/** The tables of each service whose rows are deleted or overwritten. */
export const tablesOf: Readonly<Record<ServiceName, readonly Watched[]>> = {
  order: [...everywhere, 'saga', 'orders'],
  inventory: everywhere,
  payment: everywhere,
};

/** The statements that make the schema `faultline_harness`, and a trigger on each of the tables. */
export function installation(tables: readonly Watched[]): string {
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
