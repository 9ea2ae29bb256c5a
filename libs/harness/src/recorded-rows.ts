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
