import { fillTables } from './fill.js';
import type { Session } from './session.js';
import { compare, type Compared, type Say } from './speed.js';

export interface FullTables {
  readonly rows: number;
  readonly empty: Compared;
  readonly full: Compared;
  /** By how much slower with full tables: 0.1 is a tenth. Bare ran beside both, so that the machine's drift cancels. */
  readonly slower: number;
}

const load = { kind: 'closed', size: 16 } as const;

/** The same load before and after the tables are filled with ended orders. */
export async function measureFullTables(session: Session, say: Say): Promise<FullTables> {
  const { rows, rounds, seconds } = session.options;
  await session.warmUp('faultline', { ...load, seconds: 5 });
  const empty = await compare(session, { ...load, seconds }, rounds, say);
  await fillTables(session, rows, say);
  const full = await compare(session, { ...load, seconds }, rounds, say);
  return { rows, empty, full, slower: 1 - full.ratio / empty.ratio };
}
