import { type FaultBody, type Filter, filters } from './fault.js';

type Member = 'milliseconds' | 'status';

interface Kind {
  readonly what: string;
  readonly needs?: Member;
  readonly takes?: Member;
}

interface PlaceOffer {
  readonly kinds: Readonly<Record<string, Kind>>;
  readonly filters: readonly Filter[];
}

const http = (who: string): PlaceOffer['kinds'] => ({
  latency: { what: `${who} waits so many milliseconds, then goes on`, needs: 'milliseconds' },
  error: { what: `${who} is answered with a status (503) and nothing is done`, takes: 'status' },
  hang: { what: `${who} is taken and never answered; its connection breaks when the fault ends` },
  reset: { what: `${who} finds its connection broken` },
});

const messages = (call: string, copy: string): PlaceOffer['kinds'] => ({
  latency: { what: `${call} waits so many milliseconds, then goes on`, needs: 'milliseconds' },
  error: { what: `${call} fails, and is tried again by whoever made it` },
  duplicate: { what: copy },
});

const places = {
  'http-in': {
    kinds: http('a request (not to /chaos, /health, /metrics, /resilience, /audit)'),
    filters: ['orderId', 'customerId', 'protocol'],
  },
  'http-out': { kinds: http('a call to this dependency'), filters: ['orderId'] },
  database: {
    kinds: {
      latency: {
        what: 'a transaction or statement waits so many milliseconds; a transaction holds its connection meanwhile',
        needs: 'milliseconds',
      },
      error: { what: 'a transaction or statement finds no connection: nothing was done' },
      'commit-unknown': { what: 'a transaction or write is committed, and the answer to its commit is lost' },
    },
    // One transaction carries a batch of many orders.
    filters: [],
  },
  produce: {
    kinds: messages(
      'a send to the broker',
      'a message is sent twice; the rate is that of single messages, not of sends',
    ),
    filters: ['orderId', 'customerId', 'topic'],
  },
  consume: {
    kinds: messages(
      'a fetched batch',
      'a message comes once more after it was handled; the rate is that of single messages, not of batches',
    ),
    filters: ['orderId', 'customerId', 'topic'],
  },
  process: {
    kinds: {
      crash: { what: 'the process ends as by kill -9, once it has answered' },
      pause: {
        what: 'the process stands still (SIGSTOP) for so many milliseconds; a second process lets it go on',
        needs: 'milliseconds',
      },
      block: {
        what: 'the event loop turns no further for so many milliseconds',
        needs: 'milliseconds',
      },
    },
    filters: [],
  },
} satisfies Record<string, PlaceOffer>;

/** Where a fault can be; `http-out` stands for one place per dependency. */
export type Place = keyof typeof places;

/** One place of a process, and what can be injected there, in words. */
export interface Offer {
  readonly at: string;
  readonly kinds: readonly (Kind & { readonly kind: string })[];
  /** What a filter may ask for; the others are known to nobody there. */
  readonly match: readonly Filter[];
}

/** What can be injected into a process that has these places and calls these dependencies. */
export function offersOf(here: readonly Place[], dependencies: readonly string[]): Offer[] {
  return here.flatMap((place) => {
    const { kinds, filters: match }: PlaceOffer = places[place];
    const named = Object.entries(kinds).map(([kind, about]) => ({ kind, ...about }));
    const at = place === 'http-out' ? dependencies.map((name) => `${place}:${name}`) : [place];
    return at.map((each) => ({ at: each, kinds: named, match }));
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
