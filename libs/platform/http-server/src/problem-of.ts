import { DatabaseUnavailable, OutcomeUnknown, brokeTheConnection, sqlState } from '@faultline/database';
import { HttpException } from '@nestjs/common';
import { Problem } from './problem.js';

const away = new Problem({
  status: 503,
  title: 'Not available at the moment',
  detail: 'The database cannot be reached. Nothing was changed; try again.',
  headers: { 'retry-after': '1' },
});

const neighbourAway = new Problem({
  status: 503,
  title: 'Not available at the moment',
  detail: 'Another service that this needs cannot be reached; try again.',
  headers: { 'retry-after': '1' },
});

// By name: who calls another service is not to be loaded by who only answers.
const neighbourErrors = new Set(['DependencyUnavailable', 'PipelineRefused', 'AttemptTimedOut']);

// Refused as a whole and worth trying again: out of resources (53), conflicts (40), read-only (25006), a lock or a
// statement that took too long (55P03, 57), tables that the first migration is about to make (42P01).
const passing = /^(53|40|57|25006|55P03|42P01)/;

/** What a client is told of an error; null for one that nobody expected. */
export function problemOf(error: unknown): Problem | null {
  if (error instanceof Problem) return error;
  if (error instanceof OutcomeUnknown) {
    return new Problem({
      status: 500,
      type: 'https://faultline.example/problems/outcome-unknown',
      title: 'Outcome unknown',
      detail:
        'The connection broke while committing. Repeat the request with the same Idempotency-Key to find out.',
      headers: { 'retry-after': '1' },
    });
  }
  if (error instanceof Error && neighbourErrors.has(error.name)) return neighbourAway;
  if (error instanceof DatabaseUnavailable || isPrismaWithoutDatabase(error)) return away;
  const state = sqlState(error);
  if (state !== undefined && (brokeTheConnection(error) || passing.test(state))) return away;
  // Nest wraps what express.json() throws; only the cause says which part of the request is wrong.
  if (error instanceof HttpException) return ofBodyParser(error.cause) ?? ofHttpException(error);
  return ofBodyParser(error);
}

function ofHttpException(error: HttpException): Problem {
  const status = error.getStatus();
  return new Problem({ status, detail: error.message });
}

/** Errors of express.json() carry a type of their own. */
function ofBodyParser(error: unknown): Problem | null {
  const type: unknown = error instanceof Error && 'type' in error ? error.type : undefined;
  switch (type) {
    case 'entity.too.large':
      return new Problem({ status: 413, detail: 'The body is larger than 64 KiB.' });
    case 'entity.parse.failed':
      return new Problem({
        status: 400,
        title: 'Invalid input',
        detail: 'The body is not valid JSON.',
        errors: [{ path: '', message: 'not valid JSON' }],
      });
    case 'encoding.unsupported':
    case 'charset.unsupported':
      return new Problem({ status: 415, detail: 'The body must be JSON in UTF-8.' });
    case 'request.aborted':
    case 'request.size.invalid':
      return new Problem({ status: 400, detail: 'The body did not arrive whole.' });
    default:
      return error instanceof URIError
        ? new Problem({ status: 400, detail: 'The address is malformed.' })
        : null;
  }
}

// P1001, P1002, P1008, P1017: unreachable, timed out, closed; P2024, P2037: no connection to be had.
const prismaAway = new Set(['P1001', 'P1002', 'P1008', 'P1017', 'P2024', 'P2037']);

function isPrismaWithoutDatabase(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (error.name === 'PrismaClientInitializationError') return true;
  const code: unknown = 'code' in error ? error.code : undefined;
  if (typeof code === 'string' && (prismaAway.has(code) || /^E(CONNREFUSED|CONNRESET|PIPE)$/.test(code)))
    return true;
  if (
    /Connection terminated|Query read timeout|timeout exceeded when trying to connect|server closed the connection|terminating connection|starting up|shutting down/i.test(
      error.message,
    )
  )
    return true;
  return error.cause !== undefined && isPrismaWithoutDatabase(error.cause);
}
