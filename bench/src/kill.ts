import { SERVICES, send, type ServiceName } from '@faultline/harness';
import { placeOrderUntilDecided } from './faultline.js';
import { ordersFrom } from './orders.js';
import type { Session } from './session.js';
import { quiet, auditFaultline } from './audit.js';
import type { Say } from './speed.js';

/** One kill -9 under 16 clients. Milliseconds from the kill. */
export interface Kill {
  readonly service: ServiceName;
  readonly inFlight: number;
  /** Until the service called itself ready again. */
  readonly ready: number;
  /** Until every order was decided that was under way at the kill. */
  readonly decided: number;
  readonly findings: readonly string[];
}

const clients = 16;
const loadBefore = 3000;
const loadAfter = 3000;

/** Kills each service in turn, under load. */
export async function measureKills(session: Session, say: Say): Promise<Kill[]> {
  await session.warmUp('faultline', { kind: 'closed', size: clients, seconds: 5 });
  const kills: Kill[] = [];
  for (let nth = 1; nth <= session.options.rounds; nth += 1) {
    for (const service of SERVICES) {
      const kill = await killUnderLoad(session, service, nth);
      kills.push(kill);
      say(
        `kill -9 of ${service}: ready after ${kill.ready.toFixed(0)} ms, ` +
          `all ${kill.inFlight} in flight decided after ${kill.decided.toFixed(0)} ms` +
          kill.findings.map((finding) => `, AUDIT: ${finding}`).join(''),
      );
    }
  }
  return kills;
}

async function killUnderLoad(session: Session, service: ServiceName, seed: number): Promise<Kill> {
  const underWay = new Set<Promise<unknown>>();
  const next = ordersFrom(seed);
  let running = true;
  const client = async (): Promise<void> => {
    while (running) {
      const order = session.place(next(), placeOrderUntilDecided);
      underWay.add(order);
      await order.finally(() => underWay.delete(order));
    }
  };
  const load = Promise.all(Array.from({ length: clients }, client));
  await wait(loadBefore);

  const killed = performance.now();
  session.system.process(service).kill();
  const inFlight = [...underWay];
  const [decided, ready] = await Promise.all([
    Promise.all(inFlight).then(() => performance.now() - killed),
    whenReady(session.system.urls[service]).then(() => performance.now() - killed),
  ]);
  await wait(loadAfter);
  running = false;
  await load;
  await session.system.whenReady();
  await quiet(session.system);
  return {
    service,
    inFlight: inFlight.length,
    ready,
    decided,
    findings: await session.audit(auditFaultline),
  };
}

async function whenReady(url: string): Promise<void> {
  for (;;) {
    const answer = await send(`${url}/health/ready`, { keepAlive: false, within: 2000 }).catch(
      () => undefined,
    );
    if (answer?.status === 200) return;
    await wait(10);
  }
}

function wait(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
