CREATE TABLE "orders" (
    "id" UUID NOT NULL,
    "customer_id" TEXT NOT NULL,
    "protocol" TEXT NOT NULL,
    "payment" JSONB NOT NULL,
    "lines" JSONB NOT NULL,
    "total" BIGINT NOT NULL,
    "currency" TEXT NOT NULL,
    "price_source" TEXT NOT NULL,
    "status" TEXT NOT NULL,
    "settlement" TEXT NOT NULL,
    "rejection_reason" TEXT,
    "rejection_detail" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "deadline" TIMESTAMPTZ(3) NOT NULL,
    "decided_at" TIMESTAMPTZ(3),
    "settled_at" TIMESTAMPTZ(3),
    "traceparent" TEXT NOT NULL,

    CONSTRAINT "orders_pkey" PRIMARY KEY ("id")
);
CREATE INDEX "orders_customer_id_id_idx" ON "orders"("customer_id", "id");
-- Only the few orders under way: finding them costs the same with a million ended ones beside them.
CREATE INDEX "orders_open" ON "orders"("settlement", "status") WHERE "settlement" NOT IN ('SETTLED', 'UNDONE');

CREATE TABLE "idempotency_key" (
    "key" TEXT NOT NULL,
    "body_hash" TEXT NOT NULL,
    "order_id" UUID NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "idempotency_key_pkey" PRIMARY KEY ("key")
);
CREATE INDEX "idempotency_key_created_at_idx" ON "idempotency_key"("created_at");

CREATE TABLE "saga" (
    "id" UUID NOT NULL,
    "definition" TEXT NOT NULL,
    "definition_version" INTEGER NOT NULL,
    "version" INTEGER NOT NULL,
    "status" TEXT NOT NULL,
    "state" JSONB NOT NULL,
    "skipped" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "saga_pkey" PRIMARY KEY ("id")
) WITH (fillfactor = 70);
CREATE INDEX "saga_open" ON "saga"("status") WHERE "status" NOT IN ('COMPLETED', 'COMPENSATED');
CREATE INDEX "saga_skipped" ON "saga"("id") WHERE "skipped" IS NOT NULL;
