import type { Protocol } from '@faultline/contracts';
import type { NewId, OrderProtocol } from './protocol.js';
import { sagaProtocol } from './saga/saga.protocol.js';

export type Protocols = ReadonlyMap<Protocol, OrderProtocol>;

/** The protocols that can be chosen per order. */
export function orderProtocols(newId: NewId): Protocols {
  const list: readonly OrderProtocol[] = [sagaProtocol(newId)];
  return new Map(list.map((protocol) => [protocol.name, protocol]));
}
