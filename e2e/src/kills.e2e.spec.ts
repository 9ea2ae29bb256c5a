import { afterEach, expect, it } from '@jest/globals';
import {
  crashTest,
  endLoads,
  reportOf,
  verdictLines,
  writeReport,
  type CrashTestResult,
  type Progress,
} from '@faultline/harness';

afterEach(endLoads);

const setting = (name: string, usual: number): number => Number(process.env[`FAULTLINE_${name}`] || usual);
const isLong = process.env['FAULTLINE_LONG'] === '1';
// Another one each time, printed so that the plan can be repeated.
const seed = setting('SEED', Date.now() % 1_000_000);
const rate = setting('RATE', 20);
const say = (line: string): void => void process.stderr.write(`    ${line}\n`);

const runs = isLong
  ? [
      { kills: setting('KILLS', 500), replicas: 1, minutes: 40 },
      { kills: setting('KILLS', 200), replicas: 2, minutes: 30 },
    ]
  : [{ kills: setting('KILLS', 30), replicas: 1, minutes: 8 }];

it.each(runs)(
  '$kills kills of random processes at random moments, $replicas of each service: every invariant holds',
  async ({ kills, replicas, minutes }) => {
    const ending = new AbortController();
    const patience = setTimeout(() => ending.abort(), (minutes - 2) * 60_000);
    const command = `npm run crash-test -- --kills ${kills} --seed ${seed} --rate ${rate} --replicas ${replicas}`;
    say(command);
    const startedAt = new Date();
    const result = await crashTest({
      kills,
      seed,
      rate,
      replicas,
      infrastructure: [],
      signal: ending.signal,
      progress: sayNowAndThen(kills),
    }).finally(() => clearTimeout(patience));
    const report = reportOf({ startedAt, command, seed, rate, replicas }, result);
    const { figures } = report;
    for (const [outcome, count] of Object.entries(figures.outcomes))
      say(`${String(count).padStart(7)}  ${outcome}`);
    for (const line of verdictLines(result.verdicts)) say(line);
    say(writeReport(report));

    expect({ command, broken: brokenRows(result) }).toEqual({ command, broken: [] });
    expect(result.verdicts?.map(({ invariant }) => invariant).join('')).toBe('MSTPOELKAFD');
    expect(figures.kills).toBe(kills);
    // Orders were under way when it struck, and were decided all the same; few of them otherwise than approved.
    const inFlight = result.struck.recoveries.filter((recovery) => recovery.inFlight > 0);
    expect(inFlight.length).toBeGreaterThan(0);
    const approved = result.accepted.filter(({ order }) => order.status === 'APPROVED').length;
    expect(approved / result.accepted.length).toBeGreaterThanOrEqual(0.85);
    expect(figures.ordersAccepted).toBe(figures.ordersPlaced);
  },
  40 * 60_000,
);

const brokenRows = ({ verdicts }: CrashTestResult): string[] =>
  verdicts?.flatMap(({ invariant, rows }) => rows.slice(0, 10).map((row) => `${invariant}: ${row}`)) ?? [
    'it was ended early',
  ];

function sayNowAndThen(of: number): (state: Progress) => void {
  let next = 0;
  return ({ kills, orders, open }) => {
    if (kills < next) return;
    next = kills + Math.ceil(of / 5);
    say(`kills ${kills}/${of}  orders ${orders}  open ${open}`);
  };
}
