import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { eventually } from '@faultline/testing';
import { describe, expect, it } from '@jest/globals';
import { hasty, type Placed, type Stage } from './stage.js';

const module = new URL('../../../libs/harness/dist/commands/trace.js', import.meta.url).href;
const script = `import { run } from '${module}';
process.exitCode = await run(process.argv.slice(1)).catch((error) => {
  console.error(error.name + ': ' + error.message);
  return 1;
});`;

interface Printed {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** What `npm run trace` prints about a system of the tests, 140 columns wide and into a pipe. */
function trace(stage: Stage, ...args: string[]): Promise<Printed> {
  const { folder, urls } = stage.system;
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      ['--input-type=module', '-e', script, '--', ...args, '--folder', folder, '--order', urls.order],
      { cwd: fileURLToPath(new URL('.', import.meta.url)), env: { ...process.env, COLUMNS: '140' } },
      (error, out, err) => resolve({ code: error ? 1 : 0, out, err }),
    );
  });
}

/** `npm run trace` on what the services keep. Ends the services: it comes last. */
export function command(stage: () => Stage): void {
  describe('npm run trace', () => {
    let order: Placed;

    it('draws the order from the files that the services keep, with the journal beside it', async () => {
      order = await stage().placed('customer-40');
      await stage().ended();
      await eventually(
        async () => expect((await trace(stage(), order.orderId)).out).toContain('→ order settled'),
        { within: 20_000, every: 500 },
      );
      const { code, out } = await trace(stage(), order.orderId);
      expect(code).toBe(0);
      expect(out).toContain(`order ${order.orderId}  APPROVED/SETTLED\ntrace ${order.traceId}`);
      expect(out).toMatch(/^order +POST \/orders 200 +0\.0 ms .*█/m);
      expect(out).toMatch(/^inventory .*└ process reserve-stock DONE ⤺/m);
      expect(out).toMatch(/^order +place-order → PENDING\/NONE .*◆$/m);
      expect(out).toMatch(/^payment +capture-payment → DONE .*◆$/m);
      expect(out).not.toContain('nobody kept');
      expect(out).not.toContain('\x1b');
    });

    it('numbers the retries and folds the silence of an order that timed out', async () => {
      stage().system.freeze('payment');
      const late = await stage()
        .placed(hasty)
        .finally(() => stage().system.thaw('payment'));
      await stage().ended();
      await eventually(
        async () => {
          const { out } = await trace(stage(), late.orderId);
          expect(out).toContain('REJECTED/UNDONE TIMED_OUT');
          expect(out).toMatch(/send authorize-payment #2/);
          expect(out).toMatch(/due-work saga → order rejected: TIMED_OUT/);
          expect(out).toMatch(/≈ .* are folded/);
        },
        { within: 20_000, every: 500 },
      );
    });

    it('answers other programs in JSON', async () => {
      const { out } = await trace(stage(), order.orderId, '--json');
      const told = JSON.parse(out) as { spans: object[]; orphans: string[]; journal: object[] };
      expect(told.spans).toHaveLength(stage().spansOf(order.traceId).length);
      expect(told.orphans).toEqual([]);
      expect(told.journal.length).toBeGreaterThan(8);
    });

    it('says that there is no such order', async () => {
      const { code, err } = await trace(stage(), '01990000-0000-7000-8000-000000000000');
      expect(code).toBe(1);
      expect(err).toContain('Problem: There is no order 01990000-0000-7000-8000-000000000000');
    });

    it('works while the services are down: what was handed over outlives them', async () => {
      for (const name of ['order', 'inventory', 'payment'] as const)
        await stage().system.process(name).stop({ signal: 'SIGKILL' });
      const { code, out } = await trace(stage(), order.orderId);
      expect(code).toBe(0);
      expect(out).toMatch(/^payment .*process authorize-payment DONE/m);
      expect(out).toContain('The order service does not answer: there is no journal here.');
    });
  });
}
