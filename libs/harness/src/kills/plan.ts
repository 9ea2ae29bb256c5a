import { pick, randomFrom } from '../random.js';
import type { ProcessName } from '../system.js';

/** What happens to processes at one moment of the plan. */
export interface Strike {
  /** Milliseconds after the one before. */
  readonly after: number;
  /** Two of them are struck at once. */
  readonly targets: readonly ProcessName[];
  /** SIGSTOP is followed by SIGCONT, and ends nothing. */
  readonly signal: 'SIGKILL' | 'SIGTERM' | 'SIGSTOP';
  /** How long a SIGSTOP lasts, in milliseconds; 0 for the others. */
  readonly frozenFor: number;
  /** Milliseconds after it runs again at which the first target is killed once more, in the middle of its recovery. */
  readonly againAfter: number | null;
}

export interface PlanOptions {
  readonly seed: number;
  /** How many times a process is ended. SIGSTOPs come on top. */
  readonly kills: number;
  /** The processes of the services. */
  readonly services: readonly ProcessName[];
  /** Struck now and then, too: Postgres, the broker. */
  readonly infrastructure?: readonly ProcessName[];
}

/** Mean milliseconds between two strikes: 500 kills are done within a quarter of an hour. */
const meanGap = 1300;
const shortestGap = 50;
const longestGap = 4000;

/** The same seed and options give the same plan: which process, how, and how long after the one before. */
export function planOf({ seed, kills, services, infrastructure = [] }: PlanOptions): Strike[] {
  const random = randomFrom(seed);
  const plan: Strike[] = [];
  let left = kills;
  while (left > 0) {
    const strike = strikeBy(random, services, infrastructure, left);
    plan.push(strike);
    left -= killsOf(strike);
  }
  return plan;
}

/** How many times a process is ended by it. */
export function killsOf({ signal, targets, againAfter }: Strike): number {
  return signal === 'SIGSTOP' ? 0 : targets.length + (againAfter === null ? 0 : 1);
}

function strikeBy(
  random: () => number,
  services: readonly ProcessName[],
  infrastructure: readonly ProcessName[],
  left: number,
): Strike {
  const gap = shortestGap - Math.log(1 - random()) * (meanGap - shortestGap);
  const after = Math.round(Math.min(longestGap, gap));
  const [how, which, whether, when] = [random(), random(), random(), random()];
  if (infrastructure.length > 0 && which < 0.05) {
    const targets = [pick(random, infrastructure)];
    return { after, targets, signal: 'SIGKILL', frozenFor: 0, againAfter: null };
  }
  const first = pick(random, services);
  if (how < 0.08) {
    const frozenFor = Math.round(1000 + when * 5000);
    return { after, targets: [first], signal: 'SIGSTOP', frozenFor, againAfter: null };
  }
  if (how < 0.18) return { after, targets: [first], signal: 'SIGTERM', frozenFor: 0, againAfter: null };
  const others = services.filter((name) => name !== first);
  const targets = whether < 0.15 && left > 1 && others.length > 0 ? [first, pick(random, others)] : [first];
  const isStruckAgain = whether > 0.85 && left > targets.length;
  return {
    after,
    targets,
    signal: 'SIGKILL',
    frozenFor: 0,
    // A service is up and joined again after one to two seconds: this strikes at any point of it.
    againAfter: isStruckAgain ? Math.round(50 + when * 1500) : null,
  };
}
