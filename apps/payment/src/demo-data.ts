import type { WalletCommands } from './wallets/wallet.commands.js';

const customers = Array.from({ length: 100 }, (_, n) => `customer-${n + 1}`);

/**
 * Opens and fills the wallets by the commands that people have. A wallet that was ever paid into is left alone, so a
 * later start adds nothing, and a start that was killed in between is completed by the next one.
 */
export async function createDemoData(wallets: WalletCommands): Promise<void> {
  await wallets.open('customer-poor');
  for (const customer of customers) {
    const { deposited } = await wallets.open(customer);
    if (deposited === 0) await wallets.deposit(customer, 1_000_000, `demo-data-${customer}`);
  }
}
