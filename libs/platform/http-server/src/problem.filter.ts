import type { Log } from '@faultline/telemetry';
import { type ArgumentsHost, Catch, type ExceptionFilter } from '@nestjs/common';
import type { Response } from 'express';
import { Problem } from './problem.js';
import { problemOf } from './problem-of.js';

/** The one place where HTTP statuses are decided for errors. What nobody expected is logged, and not shown. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  constructor(private readonly log: Log) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const response = host.switchToHttp().getResponse<Response>();
    const problem = problemOf(error) ?? new Problem({ status: 500, detail: 'Something went wrong here.' });
    if (problem.status >= 500) this.log.error({ err: error, status: problem.status }, 'request failed');
    if (response.headersSent) {
      response.destroy();
      return;
    }
    for (const [name, value] of Object.entries(problem.headers)) response.setHeader(name, value);
    response.status(problem.status).type('application/problem+json').send(JSON.stringify(problem));
  }
}
