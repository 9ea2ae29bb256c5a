/** What became of one item of a group: one that fails does not fail its neighbours. */
export type Outcome<Answer> = { readonly answer: Answer } | { readonly error: unknown };

interface Waiting<Item, Answer> {
  readonly item: Item;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
}

export interface GroupCommitOptions {
  readonly atMost: number;
  /** When more than `above` wait already, so many milliseconds more: where many come, more are coming. */
  readonly linger?: { readonly above: number; readonly milliseconds: number };
}

/**
 * Lets requests that arrive while a commit is under way share the next one: one at a time, at most `atMost` together.
 * A lone request does not wait. Source: group commit, as databases do for their log (DeWitt et al., 1984).
 */
export class GroupCommit<Item, Answer> {
  #queue: Waiting<Item, Answer>[] = [];
  #busy = false;

  constructor(
    private readonly commit: (items: readonly Item[]) => Promise<readonly Outcome<Answer>[]>,
    private readonly options: GroupCommitOptions,
  ) {}

  /** Resolves or rejects with what the commit that carried the item said of it. */
  add(item: Item): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ item, resolve, reject });
      if (!this.#busy) void this.#drain();
    });
  }

  async #drain(): Promise<void> {
    this.#busy = true;
    // Requests that were read from their sockets in the same turn of the event loop go together.
    await new Promise<void>((resolve) => {
      setImmediate(resolve);
    });
    while (this.#queue.length > 0) {
      await this.#linger();
      const group = this.#queue.splice(0, this.options.atMost);
      try {
        const outcomes = await this.commit(group.map((waiting) => waiting.item));
        group.forEach((waiting, index) => {
          const outcome = outcomes[index] ?? { error: new Error('the commit did not answer for this item') };
          if ('error' in outcome) waiting.reject(outcome.error);
          else waiting.resolve(outcome.answer);
        });
      } catch (error) {
        for (const waiting of group) waiting.reject(error);
      }
    }
    this.#busy = false;
  }

  async #linger(): Promise<void> {
    const { atMost, linger } = this.options;
    if (!linger || this.#queue.length <= linger.above || this.#queue.length >= atMost) return;
    await new Promise<void>((resolve) => {
      setTimeout(resolve, linger.milliseconds);
    });
  }
}
