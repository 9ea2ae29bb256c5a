CREATE TABLE "card_payment" (
    "order_id" UUID NOT NULL,
    "status" TEXT NOT NULL,
    "customer_id" TEXT NOT NULL,
    "amount" BIGINT NOT NULL,
    "card_token" TEXT NOT NULL,
    "deadline" TIMESTAMPTZ(3),
    "asked" BOOLEAN NOT NULL DEFAULT false,
    "reason" TEXT,
    "detail" TEXT,
    "waiting" JSONB NOT NULL DEFAULT '[]',
    "trouble" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "card_payment_pkey" PRIMARY KEY ("order_id"),
    CONSTRAINT "card_payment_status" CHECK ("status" IN ('REQUESTED', 'RESOLVING', 'HELD', 'VOIDING', 'VOIDED', 'CAPTURING', 'CAPTURED', 'REFUNDING', 'REFUNDED', 'REFUSED')),
    CONSTRAINT "card_payment_refusal_says_why" CHECK ("status" <> 'REFUSED' OR "reason" IS NOT NULL)
);
