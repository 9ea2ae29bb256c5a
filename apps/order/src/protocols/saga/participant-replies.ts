import { commandDeadLettered, commandDone, commandRefused } from '@faultline/contracts';
import type { SagaMessage } from '@faultline/saga';

export interface ParticipantReply {
  readonly orderId: string;
  readonly message: Extract<SagaMessage, { readonly command: string }>;
}

/** A participant's reply in the saga's words; null for a message of another kind. */
export function replyOf(message: {
  readonly kind: { readonly type: string };
  readonly body: unknown;
}): ParticipantReply | null {
  switch (message.kind.type) {
    case commandDone.type: {
      const { orderId, command, attempt } = commandDone.body.parse(message.body);
      return { orderId, message: { type: 'done', command, attempt } };
    }
    case commandRefused.type: {
      const { orderId, command, attempt, reason, detail } = commandRefused.body.parse(message.body);
      return { orderId, message: { type: 'refused', command, attempt, reason, detail } };
    }
    case commandDeadLettered.type: {
      const { orderId, command, attempt, detail } = commandDeadLettered.body.parse(message.body);
      return { orderId, message: { type: 'dead-lettered', command, attempt, detail } };
    }
    default:
      return null;
  }
}
