import {
  handOver,
  type Line,
  putAside,
  putBack,
  type Shelf,
  type Shelves,
  shortages,
  takeBack,
} from './stock.js';

/**
 * What inventory holds for one order. A released reservation without lines is a tombstone: the release overtook its
 * reserve, and the late one finds it here. A refusal is remembered, so that a repeated reserve gets the same answer
 * although stock may have arrived since.
 */
export type Reservation =
  | { readonly status: 'RESERVED' | 'CONFIRMED' | 'RELEASED' | 'RETURNED'; readonly lines: readonly Line[] }
  | {
      readonly status: 'REFUSED';
      readonly lines: readonly Line[];
      readonly reason: 'OUT_OF_STOCK' | 'EXPIRED';
      readonly detail: string;
    };

export type Refusal = 'OUT_OF_STOCK' | 'EXPIRED' | 'RELEASED' | 'NOT_RESERVED' | 'ALREADY_CONFIRMED';

/** What a decision changes; what it does not name stays as it is. A refusal may change something too: it is remembered. */
export interface Changes {
  readonly reservation?: Reservation;
  readonly shelves?: readonly Shelf[];
}
export type Decision = Changes &
  ({ readonly done: true } | { readonly refused: Refusal; readonly detail: string });

const tombstone: Reservation = { status: 'RELEASED', lines: [] };

/** All lines or none. `deadline` and `now` are milliseconds by the database's clock. */
export function reserve(
  shelves: Shelves,
  reservation: Reservation | undefined,
  command: { readonly lines: readonly Line[]; readonly deadline: number | null },
  now: number,
): Decision {
  switch (reservation?.status) {
    case undefined:
      break;
    case 'RESERVED':
    case 'CONFIRMED':
      return { done: true };
    case 'REFUSED':
      return { refused: reservation.reason, detail: reservation.detail };
    case 'RELEASED':
    case 'RETURNED':
      return { refused: 'RELEASED', detail: 'the reservation was released before this arrived' };
  }
  const lines = merged(command.lines);
  if (command.deadline !== null && command.deadline < now) {
    return refusal(lines, 'EXPIRED', `arrived ${now - command.deadline} ms after its deadline`);
  }
  const missing = shortages(shelves, lines);
  if (missing.length > 0) {
    const detail = missing
      .map((line) => `${line.sku}: ${line.quantity} wanted, ${line.available} available`)
      .join('; ');
    return refusal(lines, 'OUT_OF_STOCK', detail);
  }
  return { done: true, reservation: { status: 'RESERVED', lines }, shelves: each(shelves, lines, putAside) };
}

/** Undoes the reservation, and makes sure that there will be none. */
export function release(shelves: Shelves, reservation: Reservation | undefined): Decision {
  switch (reservation?.status) {
    case undefined:
      return { done: true, reservation: tombstone };
    case 'RESERVED':
      return released(shelves, reservation);
    case 'CONFIRMED':
      return { refused: 'ALREADY_CONFIRMED', detail: 'the stock is sold: only a return can undo that' };
    case 'RELEASED':
    case 'RETURNED':
    case 'REFUSED':
      return { done: true };
  }
}

/** The reserved quantities are sold. */
export function confirm(shelves: Shelves, reservation: Reservation | undefined): Decision {
  switch (reservation?.status) {
    case 'RESERVED':
      return {
        done: true,
        reservation: { status: 'CONFIRMED', lines: reservation.lines },
        shelves: each(shelves, reservation.lines, handOver),
      };
    case 'CONFIRMED':
    case 'RETURNED':
      return { done: true };
    case undefined:
    case 'RELEASED':
    case 'REFUSED':
      return {
        refused: 'NOT_RESERVED',
        detail: `nothing is reserved (${reservation?.status ?? 'no reservation'})`,
      };
  }
}

/** Undoes the sale; what is only reserved is released. It never fails, and nothing can be reserved after it. */
export function takeReturn(shelves: Shelves, reservation: Reservation | undefined): Decision {
  switch (reservation?.status) {
    case 'CONFIRMED':
      return {
        done: true,
        reservation: { status: 'RETURNED', lines: reservation.lines },
        shelves: each(shelves, reservation.lines, takeBack),
      };
    case undefined:
    case 'RESERVED':
    case 'RELEASED':
    case 'RETURNED':
    case 'REFUSED':
      return release(shelves, reservation);
  }
}

function released(shelves: Shelves, reservation: Reservation): Decision {
  return {
    done: true,
    reservation: { status: 'RELEASED', lines: reservation.lines },
    shelves: each(shelves, reservation.lines, putBack),
  };
}

function refusal(lines: readonly Line[], reason: 'OUT_OF_STOCK' | 'EXPIRED', detail: string): Decision {
  return { refused: reason, detail, reservation: { status: 'REFUSED', lines, reason, detail } };
}

function each(
  shelves: Shelves,
  lines: readonly Line[],
  move: (shelf: Shelf, quantity: number) => Shelf,
): Shelf[] {
  return lines.map((line) => {
    const shelf = shelves.get(line.sku);
    if (!shelf) throw new Error(`the shelf of ${line.sku} was not loaded`);
    return move(shelf, line.quantity);
  });
}

// A SKU named twice must not be checked twice against the same stock.
function merged(lines: readonly Line[]): Line[] {
  const quantities = new Map<string, number>();
  for (const { sku, quantity } of lines) quantities.set(sku, (quantities.get(sku) ?? 0) + quantity);
  return [...quantities].map(([sku, quantity]) => ({ sku, quantity }));
}
