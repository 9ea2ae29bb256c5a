import { concerns, endOf, type Facts, type Fault, isFiltered } from './fault.js';

/** Milliseconds since the epoch, and a way to be called after so many of them unless what it answers is called before. */
export interface Clock {
  now(): number;
  after(milliseconds: number, run: () => void): () => void;
}

export interface RunningFault extends Fault {
  /** Epoch milliseconds. */
  readonly expiresAt: number;
  /** How often it bit. */
  readonly struck: number;
}

/** One bite: whoever wraps the port makes it felt. */
export interface Strike {
  readonly fault: Fault;
  /** Aborted when the fault ends, by its time or by hand: what it made wait goes on then. */
  readonly ended: AbortSignal;
}

/** Something that passes a port. */
export interface Call {
  readonly at: string;
  /** What is known of each thing that the call carries; asked for only when a fault may strike. Absent: nothing yet. */
  readonly carries?: () => readonly Facts[];
  /** Only faults of these kinds. */
  readonly kinds?: readonly string[];
  /** Only faults with a filter: those without one had their chance before. */
  readonly onlyFiltered?: boolean;
}

export interface FaultsOptions {
  readonly clock: Clock;
  /** Numbers in [0, 1). */
  readonly random: () => number;
  /** Hears of every strike, and of what the fault was meant for among the things that the call carries. */
  readonly onStrike: (strike: Strike, concerned: readonly Facts[]) => void;
}

interface Entry {
  readonly fault: Fault;
  readonly expiresAt: number;
  readonly over: AbortController;
  readonly forget: () => void;
  struck: number;
}

/** The faults of one process: which are there, until when, and which strike what. In memory only: a restart has none. */
export class Faults {
  readonly #entries = new Map<string, Entry>();

  constructor(private readonly o: FaultsOptions) {}

  /** Begins a fault, in place of one of the same name. */
  put(fault: Fault): RunningFault {
    this.end(fault.name);
    const { clock } = this.o;
    const now = clock.now();
    const expiresAt = endOf(fault, now);
    const entry: Entry = {
      fault,
      expiresAt,
      over: new AbortController(),
      forget: clock.after(expiresAt - now, () => this.end(fault.name)),
      struck: 0,
    };
    this.#entries.set(fault.name, entry);
    return shown(entry);
  }

  list(): RunningFault[] {
    return this.#running().map(shown);
  }

  /** Ends a fault and answers it as it was; undefined when there is none of that name. */
  end(name: string): RunningFault | undefined {
    const entry = this.#entries.get(name);
    if (!entry) return undefined;
    this.#entries.delete(name);
    entry.forget();
    entry.over.abort();
    return entry.expiresAt > this.o.clock.now() ? shown(entry) : undefined;
  }

  endAll(): RunningFault[] {
    return [...this.#entries.keys()].flatMap((name) => this.end(name) ?? []);
  }

  /** The faults that strike this call, in the order in which they began. Each draws once and is counted when it bites. */
  strike({ at, carries, kinds, onlyFiltered = false }: Call): readonly Strike[] {
    if (this.#entries.size === 0) return none;
    let facts: readonly Facts[] | undefined;
    return this.#running().flatMap((entry): readonly Strike[] => {
      const { fault } = entry;
      if (fault.at !== at || kinds?.includes(fault.kind) === false) return none;
      const filtered = isFiltered(fault);
      if (filtered ? !carries : onlyFiltered) return none;
      facts ??= carries?.() ?? [];
      const concerned = facts.filter((each) => concerns(fault, each));
      if (filtered && concerned.length === 0) return none;
      return this.o.random() < fault.rate ? [this.#bite(entry, concerned)] : none;
    });
  }

  /** One fault strikes, now and whatever its rate; undefined when it is over already. */
  strikeBy(name: string): Strike | undefined {
    const entry = this.#running().find(({ fault }) => fault.name === name);
    return entry && this.#bite(entry, []);
  }

  #bite(entry: Entry, concerned: readonly Facts[]): Strike {
    entry.struck += 1;
    const strike = { fault: entry.fault, ended: entry.over.signal };
    this.o.onStrike(strike, concerned);
    return strike;
  }

  // The timer that ends a fault comes late where the event loop is busy, and no fault strikes after its end.
  #running(): Entry[] {
    const now = this.o.clock.now();
    return [...this.#entries.values()].filter(({ expiresAt }) => expiresAt > now);
  }
}

const none: readonly never[] = [];

function shown({ fault, expiresAt, struck }: Entry): RunningFault {
  return { ...fault, expiresAt, struck };
}
