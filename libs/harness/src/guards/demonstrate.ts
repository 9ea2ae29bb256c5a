import { judge } from '../audit/audit.js';
import { SERVICES, type ServiceName } from '../system.js';
import type { Patch } from '../patching/patch.js';
import type { Demonstration, Guard, Stage } from './guard.js';
import { aMug } from './schedules.js';
import { openWorld, type World } from './world.js';

/** Runs the guard's schedule in a world that is there, with the guard and without. */
export async function demonstrateIn(
  world: World,
  guard: Guard,
  say: (line: string) => void,
): Promise<Demonstration> {
  const instruments = guard.instruments ?? [];
  const removals = guard.protections.flatMap(({ patches }) => patches);

  say('with the guard');
  const { client, observation } = await world.begin(patchesOf(guard, instruments));
  const stage = (mended: readonly Patch[]): Stage => ({
    system: world.system,
    client,
    databases: observation.databases,
    hold: (service, barrier) => world.hold(service, barrier),
    loseAnswerOf: (text) => world.loseAnswerOf(text),
    mend: (service) => world.restart([service], patchesOf(guard, mended)),
  });
  const findings = async (): Promise<string[]> => {
    const verdicts = await judge(world.system, client, observation, { within: guard.patience ?? 30_000 });
    return verdicts
      .flatMap(({ invariant, rows }) => rows.map((row) => `${invariant}: ${row}`))
      .filter((finding) => !guard.expected?.test(finding));
  };
  // An order beside those of the schedule: the audit has something of everything to look at.
  await client.place(aMug);
  await client.allEnded(30_000);
  await guard.run(stage([]));
  const withGuard = await findings();

  say('without it');
  await world.restart(guard.services, patchesOf(guard, [...instruments, ...removals]));
  await guard.run(stage(removals));
  return { withGuard, without: await findings() };
}

/** The same in a world of its own. */
export async function demonstrate(guard: Guard, say: (line: string) => void): Promise<Demonstration> {
  say('starting a system');
  const world = await openWorld();
  try {
    return await demonstrateIn(world, guard, say);
  } finally {
    await world.close();
  }
}

/** The findings that are of the guard's invariants. */
export function offending(guard: Guard, findings: readonly string[]): string[] {
  return findings.filter((finding) => guard.invariants.includes(finding.split(':', 1)[0] ?? ''));
}

function patchesOf(guard: Guard, patches: readonly Patch[]): Record<ServiceName, readonly Patch[]> {
  const none: readonly Patch[] = [];
  return Object.fromEntries(
    SERVICES.map((service) => [service, guard.services.includes(service) ? patches : none]),
  ) as Record<ServiceName, readonly Patch[]>;
}
