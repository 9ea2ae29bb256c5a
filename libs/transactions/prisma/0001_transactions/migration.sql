-- Churning tables (outbox, due_work) get an eager autovacuum: dead index entries slow every later read of them.
CREATE TABLE "outbox" (
    "seq" BIGSERIAL NOT NULL,
    "id" UUID NOT NULL,
    "topic" TEXT NOT NULL,
    "partition" INTEGER NOT NULL,
    "key" BYTEA,
    "headers" JSONB NOT NULL,
    "value" BYTEA,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT clock_timestamp(),

    CONSTRAINT "outbox_pkey" PRIMARY KEY ("seq")
) WITH (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 1000);

CREATE TABLE "relay_lease" (
    "partition" INTEGER NOT NULL,
    "owner" TEXT NOT NULL,
    "fence" BIGINT NOT NULL,
    "until" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "relay_lease_pkey" PRIMARY KEY ("partition")
);

CREATE TABLE "inbox" (
    "consumer" TEXT NOT NULL,
    "message_id" TEXT NOT NULL,
    "outcome" TEXT NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL DEFAULT clock_timestamp(),

    CONSTRAINT "inbox_pkey" PRIMARY KEY ("consumer", "message_id")
);
CREATE INDEX "inbox_at_idx" ON "inbox"("at");

CREATE TABLE "dead_letter" (
    "id" UUID NOT NULL,
    "consumer" TEXT NOT NULL,
    "topic" TEXT NOT NULL,
    "partition" INTEGER NOT NULL,
    "offset" BIGINT,
    "message_id" TEXT NOT NULL,
    "order_id" TEXT,
    "type" TEXT,
    "key" BYTEA,
    "headers" JSONB NOT NULL,
    "value" BYTEA,
    "reason" TEXT NOT NULL,
    "detail" TEXT NOT NULL,
    "status" TEXT NOT NULL DEFAULT 'DEAD',
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT clock_timestamp(),
    "redriven_at" TIMESTAMPTZ(3),

    CONSTRAINT "dead_letter_pkey" PRIMARY KEY ("id")
);
CREATE INDEX "dead_letter_status_created_at_idx" ON "dead_letter"("status", "created_at");

CREATE TABLE "journal" (
    "id" BIGSERIAL NOT NULL,
    "order_id" UUID NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL,
    "what" TEXT NOT NULL,
    "message_id" TEXT,
    "causation_id" TEXT,
    "attempt" INTEGER NOT NULL DEFAULT 1,
    "outcome" TEXT NOT NULL,
    "detail" JSONB,

    CONSTRAINT "journal_pkey" PRIMARY KEY ("id")
);
CREATE INDEX "journal_order_id_idx" ON "journal"("order_id");

CREATE TABLE "due_work" (
    "kind" TEXT NOT NULL,
    "key" TEXT NOT NULL,
    "due_at" TIMESTAMPTZ(3) NOT NULL,
    "attempt" INTEGER NOT NULL DEFAULT 0,
    "owner" TEXT,
    "fence" BIGINT NOT NULL DEFAULT 0,
    "lease_until" TIMESTAMPTZ(3),

    CONSTRAINT "due_work_pkey" PRIMARY KEY ("kind", "key")
) WITH (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 1000);
CREATE INDEX "due_work_kind_due_at_idx" ON "due_work"("kind", "due_at");
