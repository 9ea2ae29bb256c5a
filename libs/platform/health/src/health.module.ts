import { Controller, type DynamicModule, Get, Inject, Res } from '@nestjs/common';
import { HealthCheckService, TerminusModule, type HealthIndicatorResult } from '@nestjs/terminus';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';

/** Something that must be so; `check` answers true, or what is wrong. One that throws is wrong, too. */
export interface Check {
  readonly name: string;
  check(): Promise<true | string>;
}

export interface Checks {
  /** Has it once been able to work? */
  readonly startup: readonly Check[];
  /** Does the process turn? No dependency belongs here: restarting us does not mend a neighbour. */
  readonly live: readonly Check[];
  /** Can it do its own work now? */
  readonly ready: readonly Check[];
}

// A frozen database lets a check hang; whoever asks has less patience than the database's own timeouts.
const patience = 2000;

const checks = Symbol('checks');

@ApiTags('health')
@Controller('health')
class HealthController {
  constructor(
    @Inject(HealthCheckService) private readonly health: HealthCheckService,
    @Inject(checks) private readonly checks: Checks,
  ) {}

  @Get('startup')
  @ApiOperation({ summary: 'Started: 200 or 503 with each check named' })
  startup(@Res() response: Response): Promise<void> {
    return this.#answer(this.checks.startup, response);
  }

  @Get('live')
  @ApiOperation({ summary: 'The event loop turns: 200 or no answer' })
  live(@Res() response: Response): Promise<void> {
    return this.#answer(this.checks.live, response);
  }

  @Get('ready')
  @ApiOperation({ summary: 'Able to work: 200 or 503 with each check named' })
  ready(@Res() response: Response): Promise<void> {
    return this.#answer(this.checks.ready, response);
  }

  async #answer(list: readonly Check[], response: Response): Promise<void> {
    const result = await this.health
      .check(list.map((check) => () => indicate(check)))
      .then((body) => ({ status: 200, body: body as unknown }))
      // Terminus throws its answer when something is down.
      .catch((error: { getResponse(): unknown }) => ({ status: 503, body: error.getResponse() }));
    response.status(result.status).json(result.body);
  }
}

async function indicate({ name, check }: Check): Promise<HealthIndicatorResult> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve(`no answer within ${patience} ms`), patience);
  });
  const found = await Promise.race([check(), late]).catch((error: unknown) =>
    error instanceof Error ? error.message : String(error),
  );
  clearTimeout(timer);
  return { [name]: found === true ? { status: 'up' } : { status: 'down', message: found } };
}

/** GET /health/{startup,live,ready}: 200, or 503, with each check named. */
export class HealthModule {
  static register(list: Checks): DynamicModule {
    return {
      module: HealthModule,
      imports: [TerminusModule.forRoot({ logger: false, gracefulShutdownTimeoutMs: 0 })],
      controllers: [HealthController],
      providers: [{ provide: checks, useValue: list }],
    };
  }
}
