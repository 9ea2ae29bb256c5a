import type { Part, Statement } from '@faultline/database';
import { skippedReasons, statusOf, type SagaState } from './state.js';

/** A saga as its row holds it. */
export interface SagaRow {
  readonly id: string;
  readonly definition: string;
  readonly definitionVersion: number;
  /** Counts the saves; the next one succeeds only on the version that was loaded. */
  readonly version: number;
  readonly state: SagaState;
}

/** Another process saved the saga since it was loaded: the step must be repeated from its load. */
export class StaleSaga extends Error {
  override readonly name = 'StaleSaga';
  readonly retriable = true;
}

/** Locks sagas in the order of their ids, so that two batches never wait for each other in a circle. */
export function lockSagas(ids: readonly string[]): Statement {
  return {
    name: 'saga-lock',
    text: `SELECT id FROM saga WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE`,
    values: [[...ids]],
  };
}

/** For the step's load, after the lock. Rows are SagaRow. */
export function loadSagas(ids: readonly string[]): Part {
  return {
    name: 'sagas',
    text: `SELECT id, definition, definition_version AS "definitionVersion", version, state
           FROM saga WHERE id = ANY($1::uuid[])`,
    values: [[...ids]],
  };
}

export function insertSagas(rows: readonly Omit<SagaRow, 'version'>[], now: number): Part {
  return {
    name: 'saga-insert',
    text: `INSERT INTO saga (id, definition, definition_version, version, status, state, created_at, updated_at)
           SELECT id, definition, definition_version, 1, status, state,
                  to_timestamp($6::float8 / 1000), to_timestamp($6::float8 / 1000)
           FROM unnest($1::uuid[], $2::text[], $3::int[], $4::text[], $5::jsonb[])
                AS new (id, definition, definition_version, status, state)
           RETURNING 1`,
    values: [
      rows.map((row) => row.id),
      rows.map((row) => row.definition),
      rows.map((row) => row.definitionVersion),
      rows.map((row) => statusOf(row.state)),
      rows.map((row) => JSON.stringify(row.state)),
      now,
    ],
  };
}

/** Compare-and-set on the version that was loaded. Check the count with assertSaved. */
export function saveSagas(rows: readonly SagaRow[], now: number): Part {
  return {
    name: 'saga-save',
    text: `UPDATE saga
           SET version = saga.version + 1, status = new.status, state = new.state, skipped = new.skipped,
               updated_at = to_timestamp($6::float8 / 1000)
           FROM unnest($1::uuid[], $2::int[], $3::text[], $4::jsonb[], $5::text[])
                AS new (id, loaded_version, status, state, skipped)
           WHERE saga.id = new.id AND saga.version = new.loaded_version
           RETURNING 1`,
    values: [
      rows.map((row) => row.id),
      rows.map((row) => row.version),
      rows.map((row) => statusOf(row.state)),
      rows.map((row) => JSON.stringify(row.state)),
      rows.map((row) => skippedReasons(row.state).join('; ') || null),
      now,
    ],
  };
}

/** Throws StaleSaga when a row was saved by somebody else in between. */
export function assertSaved(counts: Readonly<Record<string, number>>, rows: readonly SagaRow[]): void {
  if (counts['saga-save'] !== rows.length) {
    throw new StaleSaga(
      `${rows.length} sagas were to be saved and ${counts['saga-save'] ?? 0} were as loaded`,
    );
  }
}
