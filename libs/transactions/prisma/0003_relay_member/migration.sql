-- The relays that live, by the database's clock: each takes a fair share of the partitions.
CREATE TABLE "relay_member" (
    "owner" TEXT NOT NULL,
    "until" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "relay_member_pkey" PRIMARY KEY ("owner")
);
