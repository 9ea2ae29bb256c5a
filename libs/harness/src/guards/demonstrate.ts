import { judge } from '../audit/audit.js';
import type { Patch } from '../patching/patch.js';
import { SERVICES, type ServiceName } from '../system.js';
import type { Demonstration, Guard, Protection, Stage } from './guard.js';
import { aMug } from './instruments.js';
import { firstReplicas, openWorld, type World } from './world.js';

/** Runs the guard's schedule in a world that is there: with the guard, then without it on the data as they are. */
export async function demonstrateIn(
  world: World,
  guard: Guard,
  say: (line: string) => void,
): Promise<Demonstration> {
  say('with the guard');
  const run = await begin(world, guard, []);
  const withGuard = await run([], guard.patience);
  say('without it');
  await takeOut(world, guard.protections);
  await world.restart(
    guard.services,
    patchesOf(guard, [...instrumentsOf(guard), ...patchesIn(guard.protections)]),
  );
  return { withGuard, without: await run(guard.protections, guard.patience) };
}

/** The protections of the guard that the others cover for. */
export function coveredIn({ protections }: Guard): readonly Protection[] {
  return protections.length < 2 ? [] : protections.filter(({ neededBy }) => neededBy === undefined);
}

/** Takes out one protection of the guard and leaves the others: nothing is found when they really cover for it. */
export async function takeOutOne(world: World, guard: Guard, protection: Protection): Promise<string[]> {
  const run = await begin(world, guard, [protection]);
  await takeOut(world, [protection]);
  return run([protection]);
}

/** demonstrateIn, in a world of its own. When `ended` comes first it tidies up and answers that. */
export async function demonstrate(
  guard: Guard,
  ended: Promise<'ended'>,
  say: (line: string) => void,
): Promise<Demonstration | 'ended'> {
  say('starting a system');
  const world = await openWorld();
  try {
    return await Promise.race([demonstrateIn(world, guard, say), ended]);
  } finally {
    await world.close();
  }
}

/** The findings that are of the guard's invariants, in the order in which it names these. */
export function offending({ invariants }: Guard, findings: readonly string[]): string[] {
  return invariants.flatMap((letter) => findings.filter((finding) => finding.startsWith(`${letter}: `)));
}

/** Begins anew without these protections. Answers how to run the schedule, which answers what the audit then finds. */
async function begin(
  world: World,
  guard: Guard,
  without: readonly Protection[],
): Promise<(without: readonly Protection[], within?: number) => Promise<string[]>> {
  const { client, observation } = await world.begin(
    patchesOf(guard, [...instrumentsOf(guard), ...patchesIn(without)]),
  );
  const stageWithout = (protections: readonly Protection[]): Stage => ({
    system: world.system,
    client,
    databases: observation.databases,
    hold: (service, barrier) => world.hold(service, barrier),
    loseAnswerOf: (text) => world.loseAnswerOf(text),
    mend: (service) => world.restart([service], patchesOf(guard, patchesIn(protections))),
  });
  // An order beside those of the schedule: the audit has something of everything to look at.
  await client.place(aMug);
  await client.allEnded(60_000);
  return async (protections, within = 60_000) => {
    await guard.run(stageWithout(protections));
    // Whoever was killed is back: what the audit finds then is no matter of a slow machine.
    await world.system.whenReady({ names: firstReplicas });
    const verdicts = await judge(world.system, client, observation, { within });
    return verdicts
      .flatMap(({ invariant, rows }) => rows.map((row) => `${invariant}: ${row}`))
      .filter((finding) => !guard.expected?.test(finding));
  };
}

async function takeOut(world: World, protections: readonly Protection[]): Promise<void> {
  for (const { sql } of protections) if (sql) await world.change(sql.service, sql.text);
}

const instrumentsOf = ({ instruments = [] }: Guard): readonly Patch[] => instruments;
const patchesIn = (protections: readonly Protection[]): Patch[] =>
  protections.flatMap(({ patches }) => patches);

function patchesOf(guard: Guard, patches: readonly Patch[]): Record<ServiceName, readonly Patch[]> {
  const none: readonly Patch[] = [];
  return Object.fromEntries(
    SERVICES.map((service) => [service, guard.services.includes(service) ? patches : none]),
  ) as Record<ServiceName, readonly Patch[]>;
}
