import { chaosAround, type ChaosAround } from '@faultline/chaos/process';
import { HealthModule } from '@faultline/health';
import { createHttpApp, type HttpApp } from '@faultline/http-server';
import { pause, type RunningProcess, StopBudget } from '@faultline/service/process';
import { type Log, logger, startTelemetry } from '@faultline/telemetry';
import { AuthorizationsController } from './authorizations/authorizations.controller.js';
import { Book } from './authorizations/book.js';
import { Gateway } from './authorizations/gateway.js';
import { type GatewayConfig, readConfig } from './config.js';

const name = 'payment-gateway';
// Less than the 4.5 s that the local supervisor leaves a process before it kills it.
const stopWithin = 4000;

class GatewayModule {}

/** Starts the gateway in this process. Throws BadSettings, and whatever keeps its file or its port from being opened. */
export async function startGateway(env: NodeJS.ProcessEnv = process.env): Promise<RunningProcess> {
  const config = readConfig(env);
  const telemetry = startTelemetry({ service: name, instance: config.INSTANCE });
  const log = logger(name, config.INSTANCE);
  const book = new Book(config.GATEWAY_BOOKS);
  const gateway = new Gateway({
    book,
    now: () => new Date().toISOString(),
    pause,
  });
  let http: HttpApp;
  try {
    http = await listen(config, book, gateway, log, chaosAround(name, config, log));
  } catch (error) {
    book.close();
    await telemetry.shutdown();
    throw error;
  }
  return {
    url: http.url,
    log,
    started: Promise.resolve(),
    async stop() {
      const budget = new StopBudget(stopWithin);
      await budget.step('requests', http.close(budget.left(500)), 200);
      await budget.step('telemetry', telemetry.shutdown());
      book.close();
      return budget.cut;
    },
  };
}

function listen(
  config: GatewayConfig,
  book: Book,
  gateway: Gateway,
  log: Log,
  around: ChaosAround,
): Promise<HttpApp> {
  return createHttpApp(
    {
      module: GatewayModule,
      imports: [
        HealthModule.register({
          startup: [],
          live: [{ name: 'process', check: async () => true }],
          ready: [{ name: 'books', check: async () => (book.entries(0, 1), true as const) }],
        }),
        ...around.modules,
      ],
      controllers: [AuthorizationsController],
      providers: [
        { provide: Gateway, useValue: gateway },
        { provide: Book, useValue: book },
      ],
    },
    {
      service: name,
      instance: config.INSTANCE,
      port: config.PORT,
      host: config.HOST,
      serviceToken: config.FAULTLINE_SERVICE_TOKEN,
      door: { limit: config.MAX_REQUESTS, longestDelay: config.MAX_EVENT_LOOP_DELAY_MS },
      title: 'Card gateway',
      description:
        'The third party that we do not control: authorizations of cards, captured, voided or refunded.',
      log,
      before: around.before,
    },
  );
}
