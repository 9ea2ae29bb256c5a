import { commandName, type CommandKind, type SagaDefinition, type Step } from './definition.js';
import { isSuspended, type SagaState, type StepState } from './state.js';

/** What can happen to a saga. `attempt` says which sending of the command is answered. */
export type SagaMessage =
  | { readonly type: 'done'; readonly command: string; readonly attempt: number }
  | {
      readonly type: 'refused';
      readonly command: string;
      readonly attempt: number;
      readonly reason: string;
      readonly detail: string;
    }
  | {
      readonly type: 'dead-lettered';
      readonly command: string;
      readonly attempt: number;
      readonly detail: string;
    }
  /** Time has passed: the deadline or a repeat may be due. */
  | { readonly type: 'tick' }
  | { readonly type: 'resume' }
  | { readonly type: 'compensate'; readonly reason: string }
  | { readonly type: 'skip'; readonly reason: string };

export interface SagaCommand {
  readonly step: string;
  readonly kind: CommandKind;
  readonly body: object;
  readonly attempt: number;
  /** Epoch milliseconds after which the participant must refuse; null when the command never expires. */
  readonly deadline: number | null;
}

export type SagaEvent =
  | { readonly type: 'approved' }
  | { readonly type: 'rejected'; readonly reason: string; readonly detail: string }
  /** Everything that follows an approval has happened. */
  | { readonly type: 'completed' }
  /** Everything that had to be undone is undone. */
  | { readonly type: 'compensated' }
  | { readonly type: 'suspended'; readonly step: string; readonly reason: string; readonly detail: string }
  | { readonly type: 'resumed' };

export interface Decided {
  readonly state: SagaState;
  readonly commands: readonly SagaCommand[];
  readonly events: readonly SagaEvent[];
  /**
   * ADVANCED: the state changed. REPEATED: this answer was known. LATE: the saga had moved on, and what the answer
   * speaks of is being undone. EARLY: a tick with nothing due.
   */
  readonly outcome: 'ADVANCED' | 'REPEATED' | 'LATE' | 'EARLY';
}

/** A message that no history of this saga allows. Thrown; the message is dead-lettered, the saga stays as it was. */
export class Contradiction extends Error {
  override readonly name = 'Contradiction';
}

/** An operator asked for what this saga's state does not allow. Thrown; nothing has changed. */
export class NotAllowed extends Error {
  override readonly name = 'NotAllowed';
}

/** First repeat after 10 s of silence, then doubling to at most 60 s: silence never suspends, and never floods. */
export function retryDelay(attempt: number): number {
  return Math.min(10_000 * 2 ** (attempt - 1), 60_000);
}

/** The first state of a saga and the commands that start it. */
export function start<Facts>(definition: SagaDefinition<Facts>, facts: Facts, now: number): Decided {
  const steps: Record<string, StepState> = {};
  for (const step of [...definition.compensatable, ...definition.retriable].flat()) {
    steps[step.name] = { status: 'WAITING' };
  }
  const work = new Work(definition, facts, now, {
    phase: 'DECIDING',
    startedAt: now,
    deadline: now + definition.deadline,
    decision: null,
    steps,
  });
  work.progress();
  return work.decided('ADVANCED');
}

/**
 * The whole rule set of a saga: (state, message, now) -> (state, commands, events). Pure; `now` is the database's clock.
 * Throws Contradiction for a message that cannot be, NotAllowed for an operator's request that must not be.
 */
export function decide<Facts>(
  definition: SagaDefinition<Facts>,
  state: SagaState,
  facts: Facts,
  message: SagaMessage,
  now: number,
): Decided {
  const work = new Work(definition, facts, now, state);
  switch (message.type) {
    case 'done':
    case 'refused':
    case 'dead-lettered':
      return work.answered(message);
    case 'tick':
      return work.ticked();
    case 'resume':
      return work.resumed();
    case 'compensate':
      return work.compensated(message.reason);
    case 'skip':
      return work.skipped(message.reason);
  }
}

type Answer = Extract<SagaMessage, { readonly command: string }>;
type Refusal = Extract<SagaMessage, { readonly type: 'refused' }>;

/** One decision under way: the next state and what comes of it. Lives only inside start and decide. */
class Work<Facts> {
  readonly #commands: SagaCommand[] = [];
  readonly #events: SagaEvent[] = [];
  readonly #steps: Record<string, StepState>;
  #phase: SagaState['phase'];
  #decision: SagaState['decision'];

  constructor(
    readonly definition: SagaDefinition<Facts>,
    readonly facts: Facts,
    readonly now: number,
    readonly before: SagaState,
  ) {
    this.#steps = { ...before.steps };
    this.#phase = before.phase;
    this.#decision = before.decision;
  }

  decided(outcome: Decided['outcome']): Decided {
    const state: SagaState = {
      ...this.before,
      phase: this.#phase,
      decision: this.#decision,
      steps: this.#steps,
    };
    if (isSuspended(this.before) && !isSuspended(state)) this.#events.unshift({ type: 'resumed' });
    return { state, commands: this.#commands, events: this.#events, outcome };
  }

  // ---- answers ------------------------------------------------------------------------------------------------

  answered(answer: Answer): Decided {
    const { step, direction } = this.#addressee(answer.command);
    return direction === 'FORWARD' ? this.#forward(step, answer) : this.#backward(step, answer);
  }

  #forward(step: Step<Facts>, answer: Answer): Decided {
    const known = this.#stateOf(step);
    switch (known.status) {
      case 'WAITING':
        throw new Contradiction(`${answer.command} was answered and never sent`);
      case 'DONE':
        if (answer.type === 'refused') {
          throw new Contradiction(`${answer.command} was done and is now refused (${answer.reason})`);
        }
        return this.decided('REPEATED');
      case 'REFUSED':
        if (answer.type === 'done') throw new Contradiction(`${answer.command} was refused and is now done`);
        return this.decided('REPEATED');
      case 'COMPENSATING':
      case 'COMPENSATED':
      case 'SKIPPED':
        return this.decided('LATE');
      case 'STUCK':
        if (known.direction === 'BACKWARD') return this.decided('LATE');
        if (answer.type === 'done') return this.#done(step, answer.attempt);
        // A redriven command may be refused like any other.
        if (this.#isBusinessRefusal(step, answer)) return this.#refused(step, answer);
        return this.decided('REPEATED');
      case 'SENT':
        if (answer.type === 'done') return this.#done(step, answer.attempt);
        // An older attempt's dead letter says nothing of the one that is out; a refusal does, for it is for good.
        if (answer.type === 'dead-lettered') {
          return answer.attempt < known.attempt ? this.decided('LATE') : this.#stuck(step, 'FORWARD', answer);
        }
        if (this.#isBusinessRefusal(step, answer)) return this.#refused(step, answer);
        return this.#stuck(step, 'FORWARD', answer);
    }
  }

  #backward(step: Step<Facts>, answer: Answer): Decided {
    const known = this.#stateOf(step);
    const out =
      known.status === 'COMPENSATING' || (known.status === 'STUCK' && known.direction === 'BACKWARD');
    if (!out) {
      if (known.status === 'COMPENSATED' || known.status === 'SKIPPED') return this.decided('REPEATED');
      throw new Contradiction(`${answer.command} was answered and never sent`);
    }
    if (answer.type === 'done') {
      this.#steps[step.name] = { status: 'COMPENSATED', at: this.now };
      this.progress();
      return this.decided('ADVANCED');
    }
    if (known.status === 'STUCK') return this.decided('REPEATED');
    if (answer.type === 'dead-lettered' && answer.attempt < known.attempt) return this.decided('LATE');
    return this.#stuck(step, 'BACKWARD', answer);
  }

  #isBusinessRefusal(step: Step<Facts>, answer: Answer): answer is Refusal {
    return (
      answer.type === 'refused' && this.#phase === 'DECIDING' && step.legalRefusals.includes(answer.reason)
    );
  }

  #refused(step: Step<Facts>, { reason, detail }: Refusal): Decided {
    this.#steps[step.name] = { status: 'REFUSED', at: this.now, reason, detail };
    this.#reject(reason, detail);
    return this.decided('ADVANCED');
  }

  #done(step: Step<Facts>, attempt: number): Decided {
    this.#steps[step.name] = { status: 'DONE', attempt, at: this.now };
    this.progress();
    return this.decided('ADVANCED');
  }

  #stuck(step: Step<Facts>, direction: 'FORWARD' | 'BACKWARD', answer: Answer): Decided {
    const reason = answer.type === 'refused' ? answer.reason : 'DEAD_LETTERED';
    const detail = answer.type === 'done' ? '' : answer.detail;
    const { attempt } = answer;
    this.#steps[step.name] = { status: 'STUCK', direction, attempt, since: this.now, reason, detail };
    this.#events.push({ type: 'suspended', step: step.name, reason, detail });
    return this.decided('ADVANCED');
  }

  // ---- time ---------------------------------------------------------------------------------------------------

  ticked(): Decided {
    if (this.#phase === 'DECIDING' && this.now >= this.before.deadline) {
      const silent = this.definition.compensatable
        .flat()
        .filter((step) => this.#stateOf(step).status !== 'DONE');
      this.#reject('TIMED_OUT', `no answer in time to: ${silent.map((step) => step.name).join(', ')}`);
      return this.decided('ADVANCED');
    }
    let repeated = false;
    for (const step of this.#all()) {
      const known = this.#stateOf(step);
      if (known.status !== 'SENT' && known.status !== 'COMPENSATING') continue;
      if (known.retryAt > this.now) continue;
      this.#send(step, known.status === 'SENT' ? 'FORWARD' : 'BACKWARD', known.attempt + 1, known.since);
      repeated = true;
    }
    return this.decided(repeated ? 'ADVANCED' : 'EARLY');
  }

  // ---- operators ----------------------------------------------------------------------------------------------

  resumed(): Decided {
    for (const [step, known] of this.#stuckSteps()) {
      this.#send(step, known.direction, known.attempt + 1, this.now);
    }
    return this.decided('ADVANCED');
  }

  compensated(reason: string): Decided {
    this.#stuckSteps();
    if (this.#phase !== 'DECIDING')
      throw new NotAllowed('it is decided: what follows can be resumed or skipped');
    this.#reject('TIMED_OUT', `compensated by an operator: ${reason}`);
    return this.decided('ADVANCED');
  }

  skipped(reason: string): Decided {
    const stuck = this.#stuckSteps();
    // Skipping a reservation or an authorization would approve an order that nobody reserved or paid for.
    if (this.#phase === 'DECIDING')
      throw new NotAllowed('before the decision a step can be resumed or compensated');
    for (const [step] of stuck) this.#steps[step.name] = { status: 'SKIPPED', at: this.now, reason };
    this.progress();
    return this.decided('ADVANCED');
  }

  #stuckSteps(): [Step<Facts>, Extract<StepState, { status: 'STUCK' }>][] {
    const stuck = this.#all().flatMap((step): [Step<Facts>, Extract<StepState, { status: 'STUCK' }>][] => {
      const known = this.#stateOf(step);
      return known.status === 'STUCK' ? [[step, known]] : [];
    });
    if (stuck.length === 0) throw new NotAllowed('the saga is not suspended');
    return stuck;
  }

  // ---- the way forward and back -------------------------------------------------------------------------------

  /** Goes as far as the answers allow: the next group, the pivot, the end. */
  progress(): void {
    if (this.#phase === 'DECIDING' && this.#ran(this.definition.compensatable)) {
      this.#phase = 'COMPLETING';
      this.#decision = { approved: true, at: this.now };
      this.#events.push({ type: 'approved' });
    }
    if (this.#phase === 'COMPLETING' && this.#ran(this.definition.retriable)) {
      this.#phase = 'COMPLETED';
      this.#events.push({ type: 'completed' });
    }
    if (this.#phase === 'COMPENSATING' && this.#undone()) {
      this.#phase = 'COMPENSATED';
      this.#events.push({ type: 'compensated' });
    }
  }

  /** Starts the first group that has not run; true when there is none left. */
  #ran(groups: readonly (readonly Step<Facts>[])[]): boolean {
    for (const group of groups) {
      const states = group.map((step) => this.#stateOf(step).status);
      if (states.every((status) => status === 'DONE' || status === 'SKIPPED')) continue;
      for (const step of group) {
        if (this.#stateOf(step).status === 'WAITING') this.#send(step, 'FORWARD', 1, this.now);
      }
      return false;
    }
    return true;
  }

  #reject(reason: string, detail: string): void {
    this.#phase = 'COMPENSATING';
    this.#decision = { approved: false, at: this.now, reason, detail };
    this.#events.push({ type: 'rejected', reason, detail });
    this.progress();
  }

  /**
   * Undoes the last group in which something was done, or might have been done: a step without an answer is undone,
   * too, and its compensation may overtake it. True when nothing is left to undo.
   */
  #undone(): boolean {
    for (const group of this.definition.compensatable.toReversed()) {
      let waiting = false;
      for (const step of group) {
        const known = this.#stateOf(step);
        const happened =
          known.status === 'DONE' ||
          known.status === 'SENT' ||
          (known.status === 'STUCK' && known.direction === 'FORWARD');
        if (happened) this.#send(step, 'BACKWARD', 1, this.now);
        const { status } = this.#stateOf(step);
        waiting ||= status === 'COMPENSATING' || status === 'STUCK';
      }
      if (waiting) return false;
    }
    return true;
  }

  #send(step: Step<Facts>, direction: 'FORWARD' | 'BACKWARD', attempt: number, since: number): void {
    const kind = direction === 'FORWARD' ? step.command : step.compensation;
    if (!kind) throw new Error(`step ${step.name} cannot be undone`);
    const expires = direction === 'FORWARD' && this.#phase === 'DECIDING';
    this.#steps[step.name] = {
      status: direction === 'FORWARD' ? 'SENT' : 'COMPENSATING',
      attempt,
      since,
      retryAt: this.now + retryDelay(attempt),
    };
    this.#commands.push({
      step: step.name,
      kind,
      body: direction === 'FORWARD' ? step.body(this.facts) : {},
      attempt,
      deadline: expires ? this.before.deadline : null,
    });
  }

  #all(): Step<Facts>[] {
    return [...this.definition.compensatable, ...this.definition.retriable].flat();
  }

  #stateOf(step: Step<Facts>): StepState {
    const known = this.#steps[step.name];
    if (!known) throw new Contradiction(`the saga's row knows no step ${step.name}`);
    return known;
  }

  #addressee(command: string): { step: Step<Facts>; direction: 'FORWARD' | 'BACKWARD' } {
    for (const step of this.#all()) {
      if (commandName(step.command) === command) return { step, direction: 'FORWARD' };
      if (step.compensation && commandName(step.compensation) === command)
        return { step, direction: 'BACKWARD' };
    }
    throw new Contradiction(`no step of this saga sends ${command}`);
  }
}
