import type { WalletView } from '@faultline/contracts';
import type { Database } from '@faultline/database';
import { Problem } from '@faultline/http-server';
import { onlyOnce, type Once } from '@faultline/service';
import { v7 as uuidv7 } from 'uuid';
import { depositOf, post } from './ledger.js';
import { available, deposit, type Wallet } from './wallet.js';
import { lockAndLoad, openWalletPart, saveParts } from './wallet.store.js';

/** What people do to wallets: open one, pay into it. The same commands create the demo data. */
export class WalletCommands {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async open(customerId: string): Promise<WalletView> {
    return this.#database.transaction(async (tx) => {
      await tx.write([openWalletPart(customerId)]);
      const { wallets } = await lockAndLoad(tx, [], [customerId]);
      const wallet = wallets.get(customerId);
      if (!wallet) throw new Error(`the wallet of ${customerId} vanished while it was opened`);
      return viewOf(wallet);
    });
  }

  /** Once per key. Throws a 404 for a customer without a wallet, which leaves the key free. */
  async deposit(customerId: string, amount: number, key: string): Promise<Once<WalletView>> {
    return this.#database.transaction((tx) =>
      onlyOnce(tx, { key, request: { deposit: customerId, amount } }, async () => {
        const loaded = await lockAndLoad(tx, [], [customerId]);
        const wallet = loaded.wallets.get(customerId);
        if (!wallet) throw unknownCustomer(customerId);
        const after = deposit(wallet, amount);
        if ('refused' in after) throw new Problem({ status: 422, title: 'Too much', detail: after.detail });
        const accounts = { authorizations: loaded.authorizations, wallets: new Map([[customerId, after]]) };
        await tx.write(
          saveParts(loaded, accounts, post(depositOf(customerId, amount), uuidv7()), loaded.now),
        );
        return viewOf(after);
      }),
    );
  }
}

export function unknownCustomer(customerId: string): Problem {
  return new Problem({ status: 404, title: 'Unknown customer', detail: `${customerId} has no wallet.` });
}

function viewOf(wallet: Wallet): WalletView {
  return { ...wallet, available: available(wallet), currency: 'EUR' };
}
