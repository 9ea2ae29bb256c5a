CREATE TABLE "stock" (
    "sku" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "unit_price" BIGINT NOT NULL,
    "on_hand" BIGINT NOT NULL DEFAULT 0,
    "reserved" BIGINT NOT NULL DEFAULT 0,
    "sold" BIGINT NOT NULL DEFAULT 0,
    "delivered" BIGINT NOT NULL DEFAULT 0,

    CONSTRAINT "stock_pkey" PRIMARY KEY ("sku"),
    CONSTRAINT "stock_nothing_negative" CHECK ("unit_price" >= 0 AND "reserved" >= 0 AND "sold" >= 0),
    CONSTRAINT "stock_reserved_is_on_hand" CHECK ("reserved" <= "on_hand"),
    CONSTRAINT "stock_nothing_lost" CHECK ("delivered" = "on_hand" + "sold")
) WITH (fillfactor = 50);

CREATE TABLE "reservation" (
    "order_id" UUID NOT NULL,
    "status" TEXT NOT NULL,
    "lines" JSONB NOT NULL,
    "reason" TEXT,
    "detail" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "reservation_pkey" PRIMARY KEY ("order_id"),
    CONSTRAINT "reservation_status" CHECK ("status" IN ('RESERVED', 'CONFIRMED', 'RELEASED', 'RETURNED', 'REFUSED')),
    CONSTRAINT "reservation_refusal_says_why" CHECK (("status" = 'REFUSED') = ("reason" IS NOT NULL))
);

CREATE TABLE "idempotency_key" (
    "key" TEXT NOT NULL,
    "request" TEXT NOT NULL,
    "response" JSONB,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT clock_timestamp(),

    CONSTRAINT "idempotency_key_pkey" PRIMARY KEY ("key")
);
CREATE INDEX "idempotency_key_created_at_idx" ON "idempotency_key"("created_at");
