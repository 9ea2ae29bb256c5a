import { CardAuthorization } from '@faultline/contracts';
import { DependencyRefused, type HttpClient } from '@faultline/http-client';
import type { Pipeline } from '@faultline/resilience';
import type { Call, CardClaim, GatewayAnswer } from './card.js';

/** One call to the gateway, made through the pipeline. */
export interface CardCall {
  readonly orderId: string;
  readonly call: Call;
  readonly claim: CardClaim;
  /** How often it was made: what is above 1 draws on the retry budget. */
  readonly attempt: number;
  /** Aborts it: nobody waits for the answer any more. */
  readonly signal: AbortSignal;
}

/** The party that holds the money. Throws when it has not said anything for certain. */
export type CardGateway = (call: CardCall) => Promise<GatewayAnswer>;

/**
 * The gateway behind its pipeline. What was asked before and had no answer is looked up, and asked again under the same
 * key when nothing is found: not found is no proof, but the answer to the key is.
 */
export function cardGateway(client: HttpClient, pipeline: Pipeline): CardGateway {
  return ({ orderId, call, claim, attempt, signal: given }) => {
    const answer = pipeline.execute<GatewayAnswer>(
      async ({ signal, remainingMs }) => {
        const ask = (method: 'GET' | 'POST', path: string, body?: unknown): Promise<CardAuthorization> =>
          client.send(
            {
              method,
              path,
              signal,
              remainingMs,
              // One key per verb: however often it is repeated, and by whomever, it is one request.
              ...(method === 'POST'
                ? { headers: { 'idempotency-key': `${orderId}/${call === 'resolve' ? 'authorize' : call}` } }
                : {}),
              ...(body === undefined ? {} : { body }),
            },
            CardAuthorization,
          );
        const { amount, cardToken } = claim;
        switch (call) {
          case 'authorize':
            return said(
              await ask('POST', '/authorizations', {
                reference: orderId,
                amount,
                currency: 'EUR',
                cardToken,
              }),
            );
          case 'resolve': {
            const found = await ask('GET', `/authorizations/${orderId}`).catch(unlessUnknown);
            return said(
              found ??
                (await ask('POST', '/authorizations', {
                  reference: orderId,
                  amount,
                  currency: 'EUR',
                  cardToken,
                })),
            );
          }
          case 'capture':
          case 'void':
          case 'refund':
            return said(await ask('POST', `/authorizations/${orderId}/${call}`));
        }
      },
      { number: attempt, signal: given },
    );
    // Outside of the pipeline: a 4xx says nothing of how the gateway is, and must count for its breaker as neither.
    return answer.catch((error: unknown) => ({ refused: forGood(call, error) }));
  };
}

/** Why it was refused, when that is for good; throws the error when another attempt may be answered otherwise. */
function forGood(call: Call, error: unknown): string {
  if (!(error instanceof DependencyRefused)) throw error;
  const { status, type } = error;
  // A request that cannot be read holds nothing. Of any other no to an authorization it is not known what was held before.
  const isFinal =
    call === 'authorize' || call === 'resolve'
      ? status === 400
      : status === 400 || status === 404 || (status === 409 && type?.endsWith('wrong-status') === true);
  if (!isFinal) throw error;
  return error.message;
}

function said({ status, declineReason }: CardAuthorization): GatewayAnswer {
  switch (status) {
    case 'AUTHORIZED':
      return { authorized: true };
    case 'DECLINED':
      return { declined: declineReason ?? 'declined' };
    case 'CAPTURED':
      return { captured: true };
    case 'VOIDED':
      return { voided: true };
    case 'REFUNDED':
      return { refunded: true };
  }
}

function unlessUnknown(error: unknown): undefined {
  if (error instanceof DependencyRefused && error.status === 404) return undefined;
  throw error;
}
