export { asyncApi } from './asyncapi.js';
export { deadLetterTopic, partitionsOf, topics, type Topic } from './topics.js';
export { Cents, Currency, CustomerId, OrderId, Quantity, Sku } from './money.js';
export { messageKind, type BodyOf, type MessageKind } from './messages/message.js';
export {
  confirmStock,
  inventoryCommands,
  releaseStock,
  reserveStock,
  returnStock,
} from './messages/inventory.js';
export {
  authorizePayment,
  capturePayment,
  paymentCommands,
  PaymentMethod,
  refundPayment,
  voidPayment,
} from './messages/payment.js';
export {
  commandDeadLettered,
  commandDone,
  CommandName,
  commandRefused,
  participantReplies,
  RefusalReason,
} from './messages/replies.js';
export { orderApproved, orderEvents, orderRejected } from './messages/order-events.js';
export {
  OrderAudit,
  OrderStatus,
  OrderView,
  PlaceOrder,
  Protocol,
  RejectionReason,
  Settlement,
} from './http/orders.js';
export { Delivery, InventoryAudit, PutStock, StockList, StockView } from './http/stock.js';
export { AuthorizeCard, CardAuthorization, CardBook, CardBookEntries } from './http/card-gateway.js';
export { Deposit, LedgerEntryView, PaymentAudit, WalletView } from './http/wallets.js';
export { JournalEntry, Timeline } from './http/timeline.js';
