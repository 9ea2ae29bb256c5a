import { STATUS_CODES } from 'node:http';

export interface FieldError {
  /** Where in the input, members joined by dots; empty for the input as a whole. */
  readonly path: string;
  readonly message: string;
}

export interface ProblemDetails {
  readonly status: number;
  /** A URI reference that names the kind of problem; `about:blank` when the status says it all. */
  readonly type?: string;
  readonly title?: string;
  readonly detail?: string;
  readonly errors?: readonly FieldError[];
  readonly headers?: Readonly<Record<string, string>>;
}

/** A refusal in HTTP's words: RFC 9457, `application/problem+json`. */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly #details: ProblemDetails;

  constructor(details: ProblemDetails) {
    super(details.detail ?? details.title ?? STATUS_CODES[details.status] ?? 'problem');
    this.status = details.status;
    this.headers = details.headers ?? {};
    this.#details = details;
  }

  toJSON(): Record<string, unknown> {
    const { status, type, title, detail, errors } = this.#details;
    return {
      type: type ?? 'about:blank',
      title: title ?? STATUS_CODES[status] ?? 'Problem',
      status,
      ...(detail === undefined ? {} : { detail }),
      ...(errors === undefined ? {} : { errors }),
    };
  }
}

/** 400 with everything that is wrong at once. */
export function invalidInput(errors: readonly FieldError[]): Problem {
  return new Problem({
    status: 400,
    title: 'Invalid input',
    detail: errors.map(({ path, message }) => (path ? `${path}: ${message}` : message)).join('; '),
    errors,
  });
}
