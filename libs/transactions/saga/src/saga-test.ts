import { decide, start, type Decided, type SagaMessage } from './decide.js';
import type { SagaDefinition } from './definition.js';
import { commandName } from './definition.js';

/**
 * A saga under test, told as a story: `givenSaga(definition, facts).when(done('reserve-stock'))`, then read what it
 * sent and said. Time stands still unless `after` moves it. The idea: eventuate-tram-sagas' test language.
 */
export function givenSaga<Facts>(definition: SagaDefinition<Facts>, facts: Facts): SagaStory<Facts> {
  return new SagaStory(definition, facts, start(definition, facts, 0), 0);
}

export class SagaStory<Facts> {
  constructor(
    readonly definition: SagaDefinition<Facts>,
    readonly facts: Facts,
    readonly last: Decided,
    readonly now: number,
  ) {}

  when(...messages: readonly SagaMessage[]): SagaStory<Facts> {
    let last = this.last;
    for (const message of messages) last = decide(this.definition, last.state, this.facts, message, this.now);
    return new SagaStory(this.definition, this.facts, last, this.now);
  }

  /** Lets so many milliseconds pass. */
  after(milliseconds: number): SagaStory<Facts> {
    return new SagaStory(this.definition, this.facts, this.last, this.now + milliseconds);
  }

  /** Names of the commands that the last message made it send. */
  get sent(): string[] {
    return this.last.commands.map((command) => commandName(command.kind));
  }

  /** Types of the events that the last message brought about. */
  get said(): string[] {
    return this.last.events.map((event) => event.type);
  }

  get phase(): string {
    return this.last.state.phase;
  }

  get outcome(): string {
    return this.last.outcome;
  }
}

export function done(command: string, attempt = 1): SagaMessage {
  return { type: 'done', command, attempt };
}

export function refused(command: string, reason: string, attempt = 1): SagaMessage {
  return { type: 'refused', command, attempt, reason, detail: `${command} refused` };
}

export function deadLettered(command: string, attempt = 1): SagaMessage {
  return { type: 'dead-lettered', command, attempt, detail: `${command} dead-lettered` };
}
