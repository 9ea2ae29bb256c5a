import {
  AcceptsJson,
  Answers,
  invalidInput,
  Problem,
  type RequestHandler,
  type Response,
  TokenRequired,
  Zod,
} from '@faultline/http-server';
import {
  Body,
  Controller,
  Delete,
  type DynamicModule,
  Get,
  Inject,
  type MiddlewareConsumer,
  Module,
  type NestModule,
  Param,
  Put,
  Res,
} from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { FaultBody, FaultName } from './fault.js';
import type { Faults, RunningFault } from './faults.js';
import { complaintsAbout, type Offer } from './offers.js';
import { strikeProcess } from './process-faults.js';

export interface ChaosParts {
  readonly service: string;
  readonly faults: Faults;
  /** What can be injected here at this moment: a dependency is known once there is a client to it. */
  readonly offers: () => readonly Offer[];
  /** Strikes requests by faults that must know the body. */
  readonly filtered: RequestHandler;
}

const chaosParts = Symbol('chaos');

const FaultView = FaultBody.extend({
  name: z.string(),
  expiresAt: z.iso.datetime(),
  struck: z.int().min(0),
});
const FaultList = z.object({ items: z.array(FaultView), nextCursor: z.null() });
const OfferList = z.object({
  service: z.string(),
  places: z.array(
    z.object({
      at: z.string(),
      what: z.string(),
      kinds: z.array(
        z.object({
          kind: z.string(),
          what: z.string(),
          needs: z.string().optional(),
          takes: z.string().optional(),
        }),
      ),
      match: z.array(z.string()),
    }),
  ),
});

@ApiTags('chaos')
@Controller('chaos')
@TokenRequired()
class ChaosController {
  constructor(@Inject(chaosParts) private readonly parts: ChaosParts) {}

  @Get()
  @ApiOperation({ summary: 'What can be injected here, in words' })
  @Answers(200, OfferList, 'Every place, its kinds, and what a filter may ask for there')
  offers(): unknown {
    return { service: this.parts.service, places: this.parts.offers() };
  }

  @Get('faults')
  @ApiOperation({ summary: 'The faults that run, how long they will, and how often they struck' })
  @Answers(200, FaultList, 'All of them')
  list(): unknown {
    return page(this.parts.faults.list());
  }

  @Put('faults/:name')
  @ApiOperation({ summary: 'Inject a fault, in place of one of the same name' })
  @AcceptsJson(FaultBody)
  @Answers(200, FaultView, 'The fault')
  put(
    @Param('name', new Zod(FaultName)) name: string,
    @Body(new Zod(FaultBody)) body: FaultBody,
    @Res({ passthrough: true }) response: Response,
  ): unknown {
    const { faults, offers } = this.parts;
    const complaints = complaintsAbout(body, offers());
    if (complaints.length > 0) throw invalidInput(complaints);
    const running = faults.put({ name, ...body });
    // Whoever asked for it is answered before the process can no longer do so.
    if (body.at === 'process')
      response.once('finish', () => {
        const strike = faults.strikeBy(name);
        if (strike) setImmediate(strikeProcess, strike);
      });
    return view(running);
  }

  @Delete('faults')
  @ApiOperation({ summary: 'End every fault' })
  @Answers(200, FaultList, 'Those that ran, as they were')
  endAll(): unknown {
    return page(this.parts.faults.endAll());
  }

  @Delete('faults/:name')
  @ApiOperation({ summary: 'End a fault' })
  @Answers(200, FaultView, 'The fault as it was')
  end(@Param('name', new Zod(FaultName)) name: string): unknown {
    const ended = this.parts.faults.end(name);
    if (!ended) throw new Problem({ status: 404, detail: `There is no fault ${name} here.` });
    return view(ended);
  }
}

@Module({})
export class ChaosModule implements NestModule {
  constructor(@Inject(chaosParts) private readonly parts: ChaosParts) {}

  static register(parts: ChaosParts): DynamicModule {
    return {
      module: ChaosModule,
      controllers: [ChaosController],
      providers: [{ provide: chaosParts, useValue: parts }],
    };
  }

  configure(consumer: MiddlewareConsumer): void {
    consumer.apply(this.parts.filtered).forRoutes('{*any}');
  }

  /** What still waits when the service stops goes on. */
  onModuleDestroy(): void {
    this.parts.faults.endAll();
  }
}

function page(faults: readonly RunningFault[]): unknown {
  return { items: faults.map(view), nextCursor: null };
}

function view({ expiresAt, ...fault }: RunningFault): unknown {
  return { ...fault, expiresAt: new Date(expiresAt).toISOString() };
}
