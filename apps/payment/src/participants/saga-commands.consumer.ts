import { paymentCommands, partitionsOf } from '@faultline/contracts';
import { consumeInSteps, messageDecoder } from '@faultline/outbox';
import type { Consumption, Parts } from '@faultline/service';
import { meter } from '@faultline/telemetry';
import { type PaymentCommand, paymentStep } from '../wallets/wallet.step.js';

/** The orchestrated saga reaches payment by its command topic; every batch of it is one step. */
export function sagaCommands(parts: Parts, cards: { wake(): void }): Consumption {
  const commands = meter('faultline.payment').createCounter('faultline.payment.commands', {
    description: 'payment commands decided, by outcome',
  });
  return {
    groupId: 'payment',
    topics: ['payment.commands'],
    handle: consumeInSteps<PaymentCommand>({
      database: parts.database,
      consumer: 'payment',
      decode: messageDecoder(paymentCommands),
      step: paymentStep({
        source: '/payment',
        partitionsOf,
        onOutcome: (command, outcome) => commands.add(1, { command, outcome }),
        onCommit: () => parts.hint(),
        onCalls: () => cards.wake(),
      }),
      log: parts.log,
    }),
  };
}
