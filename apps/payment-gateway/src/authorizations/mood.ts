/**
 * How the gateway behaves towards a request, by the card it is about. Only an authorization asks the card's issuer, who
 * may be slow or may never be heard of again; what follows is the gateway's own bookkeeping.
 */
export type Mood =
  | { readonly does: 'answer' }
  /** Works that long, and answers then; killed in between it has done nothing. */
  | { readonly does: 'work'; readonly milliseconds: number }
  /** Does it, and never answers. */
  | { readonly does: 'keep silent' }
  /** Does nothing, and says so by a 503. */
  | { readonly does: 'fail' };

const well: Mood = { does: 'answer' };

export function moodOf(
  cardToken: string,
  what: 'authorize' | 'capture' | 'void' | 'refund',
  failedLast: boolean,
): Mood {
  switch (cardToken) {
    case 'card-slow':
      return what === 'authorize' ? { does: 'work', milliseconds: 3000 } : well;
    case 'card-timeout':
      return what === 'authorize' ? { does: 'keep silent' } : well;
    case 'card-flaky':
      return failedLast ? well : { does: 'fail' };
    default:
      return well;
  }
}
