/** A customer's money here, in cents. What is held is promised to an order, and still part of the balance. */
export interface Wallet {
  readonly customerId: string;
  readonly balance: number;
  readonly held: number;
  readonly deposited: number;
  readonly captured: number;
  readonly refunded: number;
}

export function emptyWallet(customerId: string): Wallet {
  return { customerId, balance: 0, held: 0, deposited: 0, captured: 0, refunded: 0 };
}

export function available(wallet: Wallet): number {
  return wallet.balance - wallet.held;
}

/** Money comes in. Refused when the sum could no longer be counted exactly. */
export function deposit(wallet: Wallet, amount: number): Wallet | { refused: 'TOO_MUCH'; detail: string } {
  if (!Number.isSafeInteger(wallet.deposited + amount) || !Number.isSafeInteger(wallet.balance + amount)) {
    return { refused: 'TOO_MUCH', detail: `the wallet of ${wallet.customerId} cannot count ${amount} more` };
  }
  return checked({ ...wallet, balance: wallet.balance + amount, deposited: wallet.deposited + amount });
}

export function hold(wallet: Wallet, amount: number): Wallet {
  return checked({ ...wallet, held: wallet.held + amount });
}

export function letGo(wallet: Wallet, amount: number): Wallet {
  return checked({ ...wallet, held: wallet.held - amount });
}

export function charge(wallet: Wallet, amount: number): Wallet {
  return checked({
    ...wallet,
    balance: wallet.balance - amount,
    held: wallet.held - amount,
    captured: wallet.captured + amount,
  });
}

export function giveBack(wallet: Wallet, amount: number): Wallet {
  return checked({ ...wallet, balance: wallet.balance + amount, refunded: wallet.refunded + amount });
}

/** Throws when a wallet breaks its own sums: then a decision or the table is wrong, and nothing may be built on it. */
export function checked(wallet: Wallet): Wallet {
  const { balance, held, deposited, captured, refunded } = wallet;
  if (held < 0 || balance < held || balance !== deposited - captured + refunded) {
    throw new Error(`the wallet of ${wallet.customerId} does not add up: ${JSON.stringify(wallet)}`);
  }
  return wallet;
}
