/** What lies on the shelf for one SKU. Available is what may still be promised: on hand less reserved. */
export interface Shelf {
  readonly sku: string;
  readonly onHand: number;
  readonly reserved: number;
  readonly sold: number;
  readonly delivered: number;
}

export interface Line {
  readonly sku: string;
  readonly quantity: number;
}

export type Shelves = ReadonlyMap<string, Shelf>;

export function emptyShelf(sku: string): Shelf {
  return { sku, onHand: 0, reserved: 0, sold: 0, delivered: 0 };
}

export function available(shelf: Shelf): number {
  return shelf.onHand - shelf.reserved;
}

/** The lines that cannot be promised now; a SKU without a shelf has nothing. */
export function shortages(
  shelves: Shelves,
  lines: readonly Line[],
): (Line & { readonly available: number })[] {
  return lines.flatMap((line) => {
    const shelf = shelves.get(line.sku);
    const left = shelf ? available(shelf) : 0;
    return left < line.quantity ? [{ ...line, available: left }] : [];
  });
}

/** A delivery arrives. Refused when the sum could no longer be counted exactly. */
export function deliver(shelf: Shelf, quantity: number): Shelf | { refused: 'TOO_MUCH'; detail: string } {
  if (!Number.isSafeInteger(shelf.delivered + quantity)) {
    return { refused: 'TOO_MUCH', detail: `${shelf.sku} cannot count ${quantity} more` };
  }
  return checked({ ...shelf, onHand: shelf.onHand + quantity, delivered: shelf.delivered + quantity });
}

export function putAside(shelf: Shelf, quantity: number): Shelf {
  return checked({ ...shelf, reserved: shelf.reserved + quantity });
}

export function putBack(shelf: Shelf, quantity: number): Shelf {
  return checked({ ...shelf, reserved: shelf.reserved - quantity });
}

export function handOver(shelf: Shelf, quantity: number): Shelf {
  return checked({
    ...shelf,
    onHand: shelf.onHand - quantity,
    reserved: shelf.reserved - quantity,
    sold: shelf.sold + quantity,
  });
}

export function takeBack(shelf: Shelf, quantity: number): Shelf {
  return checked({ ...shelf, onHand: shelf.onHand + quantity, sold: shelf.sold - quantity });
}

/** Throws when a shelf breaks its own sums: then a decision is wrong, and nothing of it may be saved. */
export function checked(shelf: Shelf): Shelf {
  const { onHand, reserved, sold, delivered } = shelf;
  if (reserved < 0 || sold < 0 || reserved > onHand || delivered !== onHand + sold) {
    throw new Error(`shelf ${shelf.sku} does not add up: ${JSON.stringify(shelf)}`);
  }
  return shelf;
}
