import { type Database, DatabaseUnavailable, OutcomeUnknown } from '@faultline/database';
import type { Faults } from './faults.js';
import { first, InjectedFault, sufferLatency } from './strike.js';

const at = 'database';

/** A database through faults. Reads for people that go past it, through Prisma, are not struck. */
export function databaseThrough(faults: Faults, database: Database): Database {
  const strikesNow = () => faults.strike({ at, kinds: ['latency', 'error'] });
  const demandAvailable = (strikes: ReturnType<typeof strikesNow>): void => {
    const error = first(strikes, 'error');
    if (error) throw new DatabaseUnavailable(new InjectedFault(error.fault));
  };
  // Drawn after the commit: what was rolled back lost no answer.
  const loseTheAnswer = (): void => {
    const [lost] = faults.strike({ at, kinds: ['commit-unknown'] });
    if (lost) throw new OutcomeUnknown(new InjectedFault(lost.fault));
  };
  return {
    pool: database.pool,
    async transaction(work) {
      const strikes = strikesNow();
      demandAvailable(strikes);
      const result = await database.transaction(async (tx) => {
        // Inside: a slow database keeps the connection, and that is what makes slow worse than down.
        await sufferLatency(strikes);
        return work(tx);
      });
      loseTheAnswer();
      return result;
    },
    async write(parts) {
      const strikes = strikesNow();
      demandAvailable(strikes);
      await sufferLatency(strikes);
      const counts = await database.write(parts);
      loseTheAnswer();
      return counts;
    },
    async query(statement) {
      const strikes = strikesNow();
      demandAvailable(strikes);
      await sufferLatency(strikes);
      return database.query(statement);
    },
    close: () => database.close(),
  };
}
