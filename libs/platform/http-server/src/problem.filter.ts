import { failSpan, type Log } from '@faultline/telemetry';
import { type ArgumentsHost, Catch, type ExceptionFilter } from '@nestjs/common';
import { trace } from '@opentelemetry/api';
import type { Request, Response } from 'express';
import { Problem } from './problem.js';
import { problemOf } from './problem-of.js';

/** The one place where HTTP statuses are decided for errors. What nobody expected is logged, and not shown. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  constructor(private readonly log: Log) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const response = host.switchToHttp().getResponse<Response>();
    const problem = problemOf(error) ?? new Problem({ status: 500, detail: 'Something went wrong here.' });
    if (problem.status >= 500 && !(error instanceof Problem)) {
      const { method, path } = host.switchToHttp().getRequest<Request>();
      const fields = { err: error, cause: causeOf(error), method, path, status: problem.status };
      // An absent database refuses every request: that is for its owner to see, once in a while, and no bug here.
      if (problem.status === 503) this.log.warn(fields, 'request refused');
      else this.log.error(fields, 'request failed');
      const span = trace.getActiveSpan();
      if (span) failSpan(span, error);
    }
    if (response.headersSent) {
      response.destroy();
      return;
    }
    for (const [name, value] of Object.entries(problem.headers)) response.setHeader(name, value);
    response.status(problem.status).type('application/problem+json').send(JSON.stringify(problem));
  }
}

function causeOf(error: unknown): string | undefined {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause instanceof Error ? cause.message : undefined;
}
