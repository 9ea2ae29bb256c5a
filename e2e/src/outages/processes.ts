import { type Answer, forAWhile, send, type ServiceName } from '@faultline/harness';
import { eventually } from '@faultline/testing';
import { expect, it } from '@jest/globals';
import { aMug, long, services, type Stage } from './stage.js';

/** Processes that end, asked or not. */
export function endingProcesses(stage: () => Stage): void {
  // kills.e2e.spec.ts does that at many moments.
  if (long)
    it.each(services)('%s is killed with -9: every order ends', async (service) => {
      const { system, client, allIsWell } = stage();
      const told = await client.during({ rate: 20, seed: 41 }, async () => {
        expect(system.process(service).kill('SIGKILL')).toBe(true);
        await forAWhile(1500);
      });
      // Whoever was connected to order has no answer; nobody has a wrong one.
      expect(
        told.except('accepted', 'refused', 'unknown', ...(service === 'order' ? ['missing' as const] : [])),
      ).toEqual([]);
      await allIsWell();
    });

  it.each(services)(
    '%s is asked to stop by SIGTERM under load: no request that it received fails, no message is lost',
    async (service) => {
      const { system, allIsWell } = stage();
      const process = system.process(service);
      const requests: { at: number; ended?: number; answer?: Answer; error?: string }[] = [];
      const under = new Set<Promise<void>>();
      const begin = (): void => {
        const request: (typeof requests)[number] = { at: performance.now() };
        requests.push(request);
        const asked = ask(stage(), service)
          .then((answer) => void (request.answer = answer))
          .catch((error: unknown) => void (request.error = String(error)))
          .finally(() => {
            request.ended = performance.now();
            under.delete(asked);
          });
        under.add(asked);
      };
      const timer = setInterval(begin, 20);
      try {
        await forAWhile(1500);
        const { exited } = process;
        const at = performance.now();
        expect(process.kill('SIGTERM')).toBe(true);
        expect((await exited).code).toBe(0);
        expect(performance.now() - at).toBeLessThan(8000);
        clearInterval(timer);
        await Promise.all(under);
        // Whoever came after the door was closed was not received. A connection that stood in the queue of the closing
        // door is not told apart from one that was taken: those of its last moment are left out.
        const received = requests.filter((request) => request.at < at - 50 || request.answer);
        const failed = received.filter(
          ({ at: begun, answer }) =>
            !answer ||
            (answer.status >= 300 &&
              // Only whoever comes when it stops already may be sent away.
              !(begun >= at - 50 && answer.status === 503 && answer.headers['retry-after'])),
        );
        expect(
          failed.map(
            ({ at: begun, ended = Infinity, answer, error }) =>
              `begun ${Math.round(at - begun)} ms before the signal, ended ${Math.round(ended - at)} ms after it: ` +
              (error ?? `${answer?.status} ${answer?.text}`),
          ),
        ).toEqual([]);
        expect(received.length).toBeGreaterThan(50);
      } finally {
        clearInterval(timer);
      }
      await system.whenReady();
      await stage().client.resolve();
      await allIsWell();
    },
  );

  it('order is asked to stop while a request waits for a decision: it is answered 202', async () => {
    const { system, client, allIsWell } = stage();
    await system.process('payment').stop();
    try {
      const waiting = client.ask(aMug, { prefer: 'wait=30', keepAlive: false });
      await eventually(() => send(`${system.urls.order}/health/live`));
      await forAWhile(500);
      const { exited } = system.process('order');
      system.process('order').kill('SIGTERM');
      expect((await waiting).status).toBe(202);
      expect((await exited).code).toBe(0);
    } finally {
      await system.process('payment').start();
    }
    await allIsWell();
  });

  it('services that start without Postgres and without a broker wait for both, and then work', async () => {
    const { system, client, startBroker, stopBroker, allIsWell } = stage();
    const told = await client.during({ rate: 10, seed: 42 }, async () => {
      await Promise.all([system.stopPostgres(), stopBroker()]);
      await Promise.all(services.map((service) => system.process(service).restart()));
      const pids = services.map((service) => system.process(service).pid);
      await eventually(
        async () => expect((await send(`${system.urls.order}/health/startup`)).status).toBe(503),
        { within: 30_000 },
      );
      await system.startPostgres();
      await system.whenReady({ consumers: false });
      await startBroker();
      await system.whenReady();
      // They waited, and were not started again and again until both were there.
      expect(services.map((service) => system.process(service).pid)).toEqual(pids);
    });
    // While they were restarted nobody listened.
    expect(told.except('accepted', 'refused', 'unknown', 'missing')).toEqual([]);
    await allIsWell();
  });
}

/** A request on a connection of its own; to order one that changes something. */
function ask({ client, system }: Stage, service: ServiceName): Promise<Answer> {
  if (service === 'order') return client.ask(aMug, { keepAlive: false, prefer: 'wait=5' });
  if (service === 'inventory') return send(`${system.urls.inventory}/stock`, { keepAlive: false });
  return send(`${system.urls.payment}/wallets/customer-1`, { keepAlive: false });
}
