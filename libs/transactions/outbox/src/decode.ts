import { decodeHeaders, type Envelope, type ReceivedRecord } from '@faultline/messaging';
import { namesIn } from './batch.js';
import { inboxIdOf } from './inbox.js';

/** The part of a message kind that reading needs; `messageKind` of @faultline/contracts makes them. */
export interface DecodableKind {
  readonly type: string;
  readonly topic: string;
  readonly body: {
    safeParse(value: unknown):
      | { readonly success: true; readonly data: unknown }
      | {
          readonly success: false;
          readonly error: {
            readonly issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[];
          };
        };
  };
}

/** Envelope, kind and typed body of whichever of the kinds a message is. */
export type MessageOf<Kind extends DecodableKind> = Kind extends DecodableKind
  ? Envelope & {
      readonly kind: Kind;
      readonly body: Extract<ReturnType<Kind['body']['safeParse']>, { readonly success: true }>['data'];
    }
  : never;

export interface Unreadable {
  readonly inboxId: string;
  readonly reason:
    'NO_ID' | 'INVALID_ENVELOPE' | 'UNKNOWN_TYPE' | 'UNKNOWN_VERSION' | 'NOT_JSON' | 'INVALID_BODY';
  readonly detail: string;
  readonly orderId: string | null;
  readonly type: string | null;
}

export type Decoded<M> = { readonly inboxId: string; readonly message: M } | Unreadable;

const utf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * Reads records whose messages are of the given kinds. Never throws: what cannot be read is answered with the reason,
 * to become a dead letter in the transaction of its batch.
 */
export function messageDecoder<const Kind extends DecodableKind>(
  kinds: readonly Kind[],
): (record: ReceivedRecord) => Decoded<MessageOf<Kind>> {
  const byType = new Map(kinds.map((kind) => [kind.type, kind]));
  const families = new Set(kinds.map((kind) => familyOf(kind.type)));

  return (record) => {
    const { inboxId, ownId } = inboxIdOf(record);
    const names = namesIn(record);
    const poison = (reason: Unreadable['reason'], detail: string): Unreadable => ({
      inboxId,
      reason,
      detail,
      ...names,
    });

    if (!ownId) return poison('NO_ID', 'ce_id is missing, or is no id');
    const envelope = decodeHeaders(record.headers);
    if ('invalid' in envelope) return poison('INVALID_ENVELOPE', envelope.invalid);
    const kind = byType.get(envelope.type);
    if (!kind) {
      const isOtherVersion = families.has(familyOf(envelope.type));
      return poison(isOtherVersion ? 'UNKNOWN_VERSION' : 'UNKNOWN_TYPE', `${envelope.type} is not read here`);
    }
    if (kind.topic !== record.topic) {
      return poison('UNKNOWN_TYPE', `${envelope.type} belongs to ${kind.topic} and came by ${record.topic}`);
    }
    let value: unknown;
    try {
      value = JSON.parse(utf8.decode(record.value ?? Buffer.alloc(0)));
    } catch (error) {
      return poison('NOT_JSON', error instanceof Error ? error.message : String(error));
    }
    const body = kind.body.safeParse(value);
    if (!body.success) {
      const complaints = body.error.issues
        .slice(0, 10)
        .map(({ path, message }) => `${path.map(String).join('.') || 'body'}: ${message}`);
      return poison('INVALID_BODY', complaints.join('; '));
    }
    return { inboxId, message: { ...envelope, kind, body: body.data } as MessageOf<Kind> };
  };
}

function familyOf(type: string): string {
  return type.replace(/\.v\d+$/, '');
}
