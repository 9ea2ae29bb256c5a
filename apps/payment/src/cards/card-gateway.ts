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
}

/** The party that holds the money. Throws when it has not said anything for certain. */
export type CardGateway = (call: CardCall) => Promise<GatewayAnswer>;

/**
 * The gateway behind its pipeline. What was asked before and had no answer is looked up, and asked again under the same
 * key when nothing is found: not found is no proof, but the answer to the key is.
 */
export function cardGateway(client: HttpClient, pipeline: Pipeline): CardGateway {
  return ({ orderId, call, claim, attempt }) =>
    pipeline.execute(
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
      { number: attempt },
    );
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
