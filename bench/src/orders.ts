import { pick, randomFrom } from '@faultline/harness';

export interface Ordered {
  readonly customerId: string;
  readonly sku: string;
  readonly quantity: number;
}

export const skus = ['tea-green', 'tea-black', 'coffee-beans', 'mug', 'teapot'] as const;
export const customers = Array.from({ length: 100 }, (_, index) => `customer-${index + 1}`);
/** Has no money: the orders of this one are declined. */
export const poor = 'customer-poor';
export const unitPrice: Readonly<Record<string, number>> = {
  'tea-green': 450,
  'tea-black': 390,
  'coffee-beans': 1250,
  mug: 990,
  teapot: 3200,
};

/** The same orders for both cases: one line each, five in a hundred of somebody who cannot pay. */
export function ordersFrom(seed: number): () => Ordered {
  const random = randomFrom(seed);
  return () => ({
    customerId: random() < 0.05 ? poor : pick(random, customers),
    sku: pick(random, skus),
    quantity: 1 + Math.floor(random() * 2),
  });
}
