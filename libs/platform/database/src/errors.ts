/**
 * The connection broke while a transaction was being committed: it may have happened or not.
 * Only whoever can repeat the work under the same key may go on (Helland, "Life beyond Distributed Transactions").
 */
export class OutcomeUnknown extends Error {
  override readonly name = 'OutcomeUnknown';
  constructor(cause: unknown) {
    super('the connection broke while committing: it is not known whether the transaction took effect', {
      cause,
    });
  }
}

/** The database could not be reached, or broke the connection before anything was committed. Safe to try again. */
export class DatabaseUnavailable extends Error {
  override readonly name = 'DatabaseUnavailable';
  readonly retriable = true;
  constructor(cause: unknown) {
    super(`the database is not available: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
  }
}

/** SQLSTATE of an error that the server answered with; undefined for everything else. */
export function sqlState(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const code: unknown = 'code' in error ? error.code : undefined;
  if ('severity' in error && typeof code === 'string') return code;
  return error.cause === undefined ? undefined : sqlState(error.cause);
}

/** The statement's own data are to blame (class 22 data exception, 23 integrity violation): repeating it as it is cannot help. */
export function blamesItsData(error: unknown): boolean {
  const state = sqlState(error);
  return state !== undefined && /^2[23]/.test(state);
}

/** Two transactions waited for each other, or the isolation level gave up: repeating the transaction helps. */
export function isSerializationConflict(error: unknown): boolean {
  const state = sqlState(error);
  return state === '40001' || state === '40P01';
}

/**
 * The connection is gone or the server is stopping or starting; the statement itself was not refused. An error of the
 * work's own (a refusal, a bug) is not mistaken for it.
 */
export function brokeTheConnection(error: unknown): boolean {
  const state = sqlState(error);
  if (state !== undefined) return state.startsWith('08') || state.startsWith('57P') || state === '53300';
  if (!(error instanceof Error)) return false;
  const code: unknown = 'code' in error ? error.code : undefined;
  return (
    (typeof code === 'string' && /^E(CONN|PIPE|TIMEDOUT|HOST|NET)/.test(code)) ||
    /Connection terminated|Query read timeout|timeout expired|not queryable|Client was closed/i.test(
      error.message,
    )
  );
}
