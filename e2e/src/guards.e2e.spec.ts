import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  coveredIn,
  demonstrateIn,
  type Guard,
  guards,
  offending,
  openWorld,
  takeOutOne,
  type World,
} from '@faultline/harness';

const long = process.env['FAULTLINE_LONG'] === '1';
/** One of each kind: a crash, a barrier, a lost record, a redrive. `npm run test:long` has all of them. */
const sample = ['inbox-and-idempotence', 'row-locks', 'checked-send', 'tombstone'];

const chosen = guards.filter(({ name }) => long || sample.includes(name));
const named = (guard: Guard) => ({ guard, name: guard.name, letters: guard.invariants.join(' or ') });

/** Ten times what the slowest takes on two quiet cores. */
const patience = 300_000;

describe('a guard that is taken out', () => {
  let world: World;
  const nobodyListens = (): void => undefined;

  beforeAll(async () => {
    world = await openWorld();
  });
  afterAll(() => world?.close());

  it.each(chosen.map(named))(
    '$name: $letters breaks without it, and nothing with it',
    async ({ guard }) => {
      const { withGuard, without } = await demonstrateIn(world, guard, nobodyListens);
      expect(withGuard).toEqual([]);
      expect(offending(guard, without)).not.toEqual([]);
    },
    patience,
  );

  const parts = (long ? chosen : []).flatMap((guard) =>
    coveredIn(guard).map((protection) => ({ ...named(guard), protection, what: protection.what })),
  );
  if (parts.length > 0) {
    it.each(parts)(
      '$name: $letters holds without $what alone',
      async ({ guard, protection }) => {
        expect(await takeOutOne(world, guard, protection)).toEqual([]);
      },
      patience,
    );
  }
});
