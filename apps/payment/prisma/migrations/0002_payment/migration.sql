CREATE TABLE "wallet" (
    "customer_id" TEXT NOT NULL,
    "balance" BIGINT NOT NULL DEFAULT 0,
    "held" BIGINT NOT NULL DEFAULT 0,
    "deposited" BIGINT NOT NULL DEFAULT 0,
    "captured" BIGINT NOT NULL DEFAULT 0,
    "refunded" BIGINT NOT NULL DEFAULT 0,

    CONSTRAINT "wallet_pkey" PRIMARY KEY ("customer_id"),
    CONSTRAINT "wallet_nothing_negative" CHECK ("held" >= 0 AND "deposited" >= 0 AND "captured" >= 0 AND "refunded" >= 0),
    CONSTRAINT "wallet_held_is_there" CHECK ("balance" >= "held"),
    CONSTRAINT "wallet_nothing_lost" CHECK ("balance" = "deposited" - "captured" + "refunded")
) WITH (fillfactor = 50);

CREATE TABLE "ledger_entry" (
    "id" BIGSERIAL NOT NULL,
    "posting_id" UUID NOT NULL,
    "account" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "amount" BIGINT NOT NULL,
    "order_id" UUID,
    "at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "ledger_entry_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "ledger_entry_kind" CHECK ("kind" IN ('DEPOSIT', 'CAPTURE', 'REFUND'))
);
CREATE INDEX "ledger_entry_account_id_idx" ON "ledger_entry"("account", "id");

CREATE TABLE "authorization" (
    "order_id" UUID NOT NULL,
    "status" TEXT NOT NULL,
    "customer_id" TEXT,
    "amount" BIGINT,
    "method" TEXT,
    "reason" TEXT,
    "detail" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "authorization_pkey" PRIMARY KEY ("order_id"),
    CONSTRAINT "authorization_status" CHECK ("status" IN ('HELD', 'CAPTURED', 'VOIDED', 'REFUNDED', 'REFUSED')),
    CONSTRAINT "authorization_refusal_says_why" CHECK (("status" = 'REFUSED') = ("reason" IS NOT NULL)),
    CONSTRAINT "authorization_only_a_tombstone_is_empty" CHECK ("status" = 'VOIDED' OR ("customer_id" IS NOT NULL AND "amount" IS NOT NULL AND "method" IS NOT NULL))
);

CREATE TABLE "idempotency_key" (
    "key" TEXT NOT NULL,
    "request" TEXT NOT NULL,
    "response" JSONB,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT clock_timestamp(),

    CONSTRAINT "idempotency_key_pkey" PRIMARY KEY ("key")
);
CREATE INDEX "idempotency_key_created_at_idx" ON "idempotency_key"("created_at");
