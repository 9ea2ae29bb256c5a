import { expect, it } from '@jest/globals';
import { Intake } from './intake.js';

function intake(depth: number, oldestAgeSeconds: number | null) {
  const state = { depth, oldestAgeSeconds, away: false };
  const made = new Intake({
    outbox: () => (state.away ? Promise.reject(new Error('away')) : Promise.resolve(state)),
    mostRows: 100,
    oldestAge: 60,
  });
  return { made, state };
}

it.each([
  [99, 59.9, null],
  [100, 1, '100 messages wait to be sent'],
  [5, 60, 'messages have waited to be sent for 60 s'],
  [0, null, null],
] as const)('with %s rows, the oldest of %s s, it says %s', async (depth, age, because) => {
  const { made } = intake(depth, age);
  expect(made.refusal()).toBeNull();
  await made.look();
  const refusal = made.refusal();
  if (because === null) expect(refusal).toBeNull();
  else {
    expect(refusal?.message).toContain(because);
    expect([refusal?.status, refusal?.headers['retry-after']]).toEqual([503, '5']);
  }
});

it('accepts again when the outbox has been emptied, and keeps its word while nobody can look', async () => {
  const { made, state } = intake(100, 1);
  await made.look();
  state.away = true;
  await made.look();
  expect(made.refusal()).not.toBeNull();
  Object.assign(state, { away: false, depth: 3 });
  await made.look();
  expect(made.refusal()).toBeNull();
});
