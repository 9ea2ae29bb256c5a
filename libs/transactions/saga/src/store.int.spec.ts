import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { testDatabase } from '@faultline/testing';
import type { SagaState, StepState } from './state.js';
import {
  assertSaved,
  insertSagas,
  loadSagas,
  lockSagas,
  saveSagas,
  StaleSaga,
  type SagaRow,
} from './store.js';

let db: Awaited<ReturnType<typeof testDatabase>>;

beforeAll(async () => {
  // The service owns the table: what it migrates is what this store must fit.
  db = await testDatabase(new URL('../../../../apps/order/prisma/migrations/', import.meta.url));
});
afterAll(() => db.drop());

const stateWith = (step: StepState): SagaState => ({
  phase: 'DECIDING',
  startedAt: 1000,
  deadline: 2000,
  decision: null,
  steps: { 'reserve stock': step },
});
const waiting = stateWith({ status: 'WAITING' });
const done = stateWith({ status: 'DONE', attempt: 1, at: 1500 });

async function inserted(): Promise<string> {
  const id = randomUUID();
  await db.database.write([
    insertSagas([{ id, definition: 'place-order', definitionVersion: 1, state: waiting }], 1000),
  ]);
  return id;
}
async function load(...ids: string[]): Promise<SagaRow[]> {
  const { sagas } = await db.database.transaction((tx) => tx.read([loadSagas(ids)]));
  return sagas as SagaRow[];
}
const save = (rows: readonly SagaRow[]): Promise<void> =>
  db.database.transaction(async (tx) => {
    assertSaved(await tx.write([saveSagas(rows, 3000)]), rows);
  });
async function columns(id: string): Promise<unknown> {
  const [row] = await db.database.query({
    text: `SELECT status, skipped, extract(epoch FROM updated_at)::int AS updated FROM saga WHERE id = $1`,
    values: [id],
  });
  return row;
}

describe('a stored saga', () => {
  it('is loaded as it was inserted, at version 1', async () => {
    const id = await inserted();
    expect(await load(id)).toEqual([
      { id, definition: 'place-order', definitionVersion: 1, version: 1, state: waiting },
    ]);
    expect(await columns(id)).toEqual({ status: 'DECIDING', skipped: null, updated: 1 });
  });

  it('counts its saves', async () => {
    const id = await inserted();
    const [row] = await load(id);
    if (!row) throw new Error('not loaded');
    await save([{ ...row, state: done }]);
    expect(await load(id)).toMatchObject([{ version: 2, state: done }]);
    expect(await columns(id)).toMatchObject({ updated: 3 });
  });

  it('shows in its columns what its state says: suspended, and what was skipped', async () => {
    const id = await inserted();
    const [row] = await load(id);
    if (!row) throw new Error('not loaded');
    const stuck = stateWith({
      status: 'STUCK',
      direction: 'FORWARD',
      attempt: 1,
      since: 1,
      reason: 'DEAD_LETTERED',
      detail: '',
    });
    await save([{ ...row, state: stuck }]);
    expect(await columns(id)).toMatchObject({ status: 'SUSPENDED', skipped: null });
    const skipped = stateWith({ status: 'SKIPPED', at: 1, reason: 'by hand' });
    await save([{ ...row, version: 2, state: skipped }]);
    expect(await columns(id)).toMatchObject({ status: 'DECIDING', skipped: 'reserve stock: by hand' });
  });

  it('is not saved from a version that is stale: StaleSaga, and its neighbours are rolled back with it', async () => {
    const [id, neighbour] = [await inserted(), await inserted()];
    const loaded = await load(id, neighbour);
    await save(loaded.filter((row) => row.id === id).map((row) => ({ ...row, state: done })));
    const late = save(loaded.map((row) => ({ ...row, state: stateWith({ status: 'COMPENSATED', at: 9 }) })));
    await expect(late).rejects.toBeInstanceOf(StaleSaga);
    await expect(late).rejects.toMatchObject({ retriable: true });
    expect(await load(id)).toMatchObject([{ version: 2, state: done }]);
    expect(await load(neighbour)).toMatchObject([{ version: 1, state: waiting }]);
  });

  it('is saved once when two hold the same version', async () => {
    const id = await inserted();
    const rows = await load(id);
    const outcomes = await Promise.allSettled([save(rows), save(rows), save(rows)]);
    expect(outcomes.filter((outcome) => outcome.status === 'fulfilled')).toHaveLength(1);
    expect(await load(id)).toMatchObject([{ version: 2 }]);
  });

  it('is locked until the transaction ends', async () => {
    const id = await inserted();
    await db.database.transaction(async (tx) => {
      await tx.query(lockSagas([id]));
      await expect(
        db.database.query({ text: 'SELECT id FROM saga WHERE id = $1 FOR UPDATE NOWAIT', values: [id] }),
      ).rejects.toMatchObject({ code: '55P03' });
    });
  });

  it('costs nothing when no saga is touched', async () => {
    await expect(save([])).resolves.toBeUndefined();
  });
});
