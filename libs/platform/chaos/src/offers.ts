import { type FaultBody, type Filter, filters } from './fault.js';

type Member = 'milliseconds' | 'status';

interface Kind {
  readonly what: string;
  readonly needs?: Member;
  readonly takes?: Member;
}

interface PlaceOffer {
  /** What passes there, and is struck. */
  readonly what: string;
  readonly kinds: Readonly<Record<string, Kind>>;
  readonly filters: readonly Filter[];
}

const http: PlaceOffer['kinds'] = {
  latency: { what: 'it waits so many milliseconds, then goes on', needs: 'milliseconds' },
  error: { what: 'it is answered with a status (503), and nothing is done', takes: 'status' },
  hang: { what: 'it is taken and never answered; its connection breaks when the fault ends' },
  reset: { what: 'it finds its connection broken' },
};

const places = {
  'http-in': {
    what: 'a request; never one to /chaos, /health, /metrics, /resilience or /audit',
    kinds: http,
    filters: ['orderId', 'customerId', 'protocol'],
  },
  'http-out': { what: 'a call to this dependency', kinds: http, filters: ['orderId'] },
  database: {
    what: 'a transaction, or a statement without one',
    kinds: {
      latency: {
        what: 'it waits so many milliseconds; a transaction holds its connection meanwhile',
        needs: 'milliseconds',
      },
      error: { what: 'it finds no connection: nothing was done' },
      'commit-unknown': { what: 'it is committed, and the answer to its commit is lost; a read is spared' },
    },
    // One transaction carries a batch of many orders.
    filters: [],
  },
  produce: {
    what: 'what the relay sends to the broker together',
    kinds: {
      latency: { what: 'it waits so many milliseconds, then goes out', needs: 'milliseconds' },
      error: { what: 'nothing is sent; the relay tries again' },
      duplicate: { what: 'a message of it is sent twice; each draws by the rate' },
    },
    filters: ['orderId', 'customerId', 'topic'],
  },
  consume: {
    what: 'what one fetch brought to a consumer',
    kinds: {
      latency: { what: 'it waits so many milliseconds, then is handled', needs: 'milliseconds' },
      error: { what: 'nothing is handled; all of it comes again' },
      duplicate: { what: 'a message of it comes once more after it was handled; each draws by the rate' },
    },
    filters: ['orderId', 'customerId', 'topic'],
  },
  process: {
    what: 'the process, once it has answered; it is struck once, at once',
    kinds: {
      crash: { what: 'it ends as by kill -9' },
      pause: { what: 'it stands still for so many milliseconds (SIGSTOP, SIGCONT)', needs: 'milliseconds' },
      block: { what: 'its event loop turns no further for so many milliseconds', needs: 'milliseconds' },
    },
    filters: [],
  },
} satisfies Record<string, PlaceOffer>;

/** Where a fault can be; `http-out` stands for one place per dependency. */
export type Place = keyof typeof places;

/** One place of a process, and what can be injected there, in words. */
export interface Offer {
  readonly at: string;
  readonly what: string;
  readonly kinds: readonly (Kind & { readonly kind: string })[];
  /** What a filter may ask for; the others are known to nobody there. */
  readonly match: readonly Filter[];
}

/** What can be injected into a process that has these places and calls these dependencies. */
export function offersOf(here: readonly Place[], dependencies: readonly string[]): Offer[] {
  return here.flatMap((place) => {
    const { what, kinds, filters: match }: PlaceOffer = places[place];
    const named = Object.entries(kinds).map(([kind, about]) => ({ kind, ...about }));
    const at = place === 'http-out' ? dependencies.map((name) => `${place}:${name}`) : [place];
    return at.map((each) => ({ at: each, what, kinds: named, match }));
  });
}

/** Everything about a fault that does not go together, with what does; empty when it can be injected here. */
export function complaintsAbout(
  body: FaultBody,
  offers: readonly Offer[],
): { readonly path: string; readonly message: string }[] {
  const offer = offers.find(({ at }) => at === body.at);
  if (!offer) return [{ path: 'at', message: `there is no ${body.at} here; there is ${inWords(offers)}` }];
  const kind = offer.kinds.find((each) => each.kind === body.kind);
  if (!kind)
    return [{ path: 'kind', message: `${body.at} has no ${body.kind}; there is ${inWords(offers)}` }];
  const complaints: { path: string; message: string }[] = [];
  const here = `${body.at} ${body.kind}`;
  for (const member of ['milliseconds', 'status'] as const) {
    const given = body[member] !== undefined;
    if (kind.needs === member && !given) complaints.push({ path: member, message: `${here} needs it` });
    if (given && kind.needs !== member && kind.takes !== member)
      complaints.push({ path: member, message: `${here} takes none` });
  }
  if (body.at === 'process' && body.rate !== 1)
    complaints.push({ path: 'rate', message: 'a process fault strikes once, at once: it takes none' });
  for (const filter of filters) {
    if (body.match?.[filter] === undefined || offer.match.includes(filter)) continue;
    const known = offer.match.length > 0 ? `only ${offer.match.join(', ')}` : 'nothing to filter by';
    complaints.push({ path: `match.${filter}`, message: `at ${body.at} there is ${known}` });
  }
  return complaints;
}

function inWords(offers: readonly Offer[]): string {
  return offers.map(({ at, kinds }) => `${at} (${kinds.map(({ kind }) => kind).join(', ')})`).join(', ');
}
