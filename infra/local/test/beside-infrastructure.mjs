import { spawn } from 'node:child_process';
import { followStarter, main } from '../bootstrap.mjs';
import { toolEnv } from '../build.mjs';
import { testInfrastructure } from './infrastructure.mjs';

await main(async () => {
  const infrastructure = await testInfrastructure();
  try {
    const [command, ...args] = process.argv.slice(2);
    // One argument is a line for the shell, several are a program and its arguments.
    const child = spawn(command, args, {
      stdio: 'inherit',
      shell: args.length === 0,
      env: toolEnv(infrastructure.env),
    });
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
    followStarter(() => child.kill('SIGTERM'));
    return await new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (code) => resolve(code ?? 1));
    });
  } finally {
    await infrastructure.stop();
  }
});
process.exit(process.exitCode);
