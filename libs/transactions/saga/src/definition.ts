/** A kind of message that a step sends: its CloudEvents type and the topic it goes to. */
export interface CommandKind<Body = unknown> {
  readonly type: string;
  readonly topic: string;
  readonly body: { readonly _zod: { readonly output: Body } };
}

/** What every command carries besides the step's own fields; the orchestrator fills it in. */
export interface CommandHead {
  readonly orderId: string;
  readonly attempt: number;
}

/** One step: the command that does it, the one that undoes it, and which refusals are answers rather than faults. */
export interface Step<Facts> {
  readonly name: string;
  readonly command: CommandKind;
  readonly body: (facts: Facts) => object;
  readonly compensation: CommandKind | null;
  readonly legalRefusals: readonly string[];
}

/** A saga as data. Groups run one after the other, the steps of a group side by side. */
export interface SagaDefinition<Facts> {
  readonly name: string;
  /** Kept in each saga's row: a saga goes on under the definition it was started with. */
  readonly version: number;
  /** How long the steps before the pivot may take, in milliseconds. */
  readonly deadline: number;
  readonly compensatable: readonly (readonly Step<Facts>[])[];
  readonly pivot: string;
  readonly retriable: readonly (readonly Step<Facts>[])[];
}

interface StepDraft<Facts> extends Step<Facts> {
  /** A refusal with one of these reasons is a business answer: the saga turns back. Any other suspends it. */
  refusedFor(...reasons: readonly string[]): StepDraft<Facts>;
  /** The command that undoes this step, also when it has not happened or not happened yet. */
  compensatedBy(command: CommandKind): StepDraft<Facts>;
}

/**
 * A step that sends `command`. `body` adds what the command needs beside the order's id and the attempt.
 */
export function step<Facts, Body extends CommandHead>(
  name: string,
  command: CommandKind<Body>,
  ...[body]: keyof Omit<Body, keyof CommandHead> extends never
    ? []
    : [body: (facts: Facts) => Omit<Body, keyof CommandHead>]
): StepDraft<Facts> {
  return draft({ name, command, body: body ?? (() => ({})), compensation: null, legalRefusals: [] });
}

function draft<Facts>(fields: Step<Facts>): StepDraft<Facts> {
  return {
    ...fields,
    refusedFor: (...legalRefusals) => draft({ ...fields, legalRefusals }),
    compensatedBy: (compensation) => draft({ ...fields, compensation }),
  };
}

interface BeforePivot<Facts> {
  /** Steps that can be undone, side by side. Called again, a further group that waits for the one before. */
  compensatable(...steps: readonly Step<Facts>[]): BeforePivot<Facts>;
  /** The point of no return: once every compensatable step is done, the saga can only go forward. */
  pivot(name: string): AfterPivot<Facts>;
}

interface AfterPivot<Facts> {
  /** Steps that can only be repeated until they succeed, side by side; called again, a further group. */
  retriable(...steps: readonly Step<Facts>[]): AfterPivot<Facts>;
  /** Checks the definition and answers it as data. */
  end(): SagaDefinition<Facts>;
}

/**
 * Starts the definition of a saga: compensatable steps, the pivot, retriable steps, in the order they run.
 * Source of the terms: Richardson, Microservices Patterns, chapter 4; Garcia-Molina and Salem, Sagas (1987).
 */
export function saga<Facts>(options: {
  readonly name: string;
  readonly version: number;
  readonly deadlineSeconds: number;
}): BeforePivot<Facts> {
  return beforePivot({
    name: options.name,
    version: options.version,
    deadline: options.deadlineSeconds * 1000,
    compensatable: [],
    pivot: '',
    retriable: [],
  });
}

function beforePivot<Facts>(definition: SagaDefinition<Facts>): BeforePivot<Facts> {
  return {
    compensatable: (...steps) =>
      beforePivot({ ...definition, compensatable: [...definition.compensatable, steps] }),
    pivot: (pivot) => afterPivot({ ...definition, pivot }),
  };
}

function afterPivot<Facts>(definition: SagaDefinition<Facts>): AfterPivot<Facts> {
  return {
    retriable: (...steps) => afterPivot({ ...definition, retriable: [...definition.retriable, steps] }),
    end: () => checked(definition),
  };
}

/** `faultline.inventory.reserve-stock.v1` is known to people, replies and journals as `reserve-stock`. */
export function commandName(kind: { readonly type: string }): string {
  return kind.type.split('.')[2] ?? kind.type;
}

function checked<Facts>(definition: SagaDefinition<Facts>): SagaDefinition<Facts> {
  const before = definition.compensatable.flat();
  const all = [...before, ...definition.retriable.flat()];
  const fault = (what: string): never => {
    throw new Error(`saga ${definition.name} v${definition.version}: ${what}`);
  };
  const names = all.map((each) => each.name);
  const commands = all.flatMap((each) => [each.command, each.compensation]).filter((each) => each !== null);
  if (before.length === 0) fault('has no compensatable step');
  if (new Set(names).size < names.length) fault('two steps share a name');
  // A reply names the command it answers, and so must name one step.
  if (new Set(commands.map(commandName)).size < commands.length) fault('two steps send the same command');
  for (const each of before)
    if (!each.compensation) fault(`step ${each.name} before the pivot cannot be undone`);
  for (const each of definition.retriable.flat()) {
    if (each.compensation) fault(`step ${each.name} after the pivot is never undone`);
    if (each.legalRefusals.length > 0) fault(`step ${each.name} after the pivot may not be refused`);
  }
  return definition;
}

/** The definitions a process knows, of every version that may still be under way. */
export class SagaDefinitions<Facts> {
  readonly #known: ReadonlyMap<string, SagaDefinition<Facts>>;

  constructor(definitions: readonly SagaDefinition<Facts>[]) {
    this.#known = new Map(definitions.map((each) => [`${each.name} v${each.version}`, each]));
  }

  /** Throws UnknownDefinition: a saga must never go on under rules that it was not started with. */
  get(name: string, version: number): SagaDefinition<Facts> {
    const definition = this.#known.get(`${name} v${version}`);
    if (!definition) throw new UnknownDefinition(name, version);
    return definition;
  }
}

export class UnknownDefinition extends Error {
  override readonly name = 'UnknownDefinition';
  constructor(saga: string, version: number) {
    super(
      `saga ${saga} v${version} is not known to this process: keep old definitions until their sagas have ended`,
    );
  }
}
