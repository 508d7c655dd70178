-- Orders of approvers to one device, and what devices say of their own state.

-- CreateTable
CREATE TABLE "device_order" (
    "digest" TEXT NOT NULL,
    "device_id" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "text" TEXT NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "created_by" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "answered_at" TIMESTAMPTZ(3),
    "accepted" BOOLEAN,
    "code" TEXT,
    "proof" TEXT,

    CONSTRAINT "device_order_pkey" PRIMARY KEY ("digest")
);

-- CreateTable
CREATE TABLE "device_integrity" (
    "device_id" TEXT NOT NULL,
    "state" TEXT NOT NULL,
    "counter" INTEGER NOT NULL,
    "epoch" INTEGER NOT NULL,
    "serial" INTEGER NOT NULL,
    "assurance" TEXT NOT NULL,
    "machine_boot" TEXT,
    "after" TEXT NOT NULL,
    "said_at" TIMESTAMPTZ(3) NOT NULL,
    "finding" TEXT,
    "finding_detail" TEXT,
    "found_at" TIMESTAMPTZ(3),

    CONSTRAINT "device_integrity_pkey" PRIMARY KEY ("device_id")
);

-- CreateIndex
CREATE INDEX "device_order_device_id_created_at_idx" ON "device_order"("device_id", "created_at");

-- AddForeignKey
ALTER TABLE "device_order" ADD CONSTRAINT "device_order_device_id_fkey" FOREIGN KEY ("device_id") REFERENCES "device"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "device_integrity" ADD CONSTRAINT "device_integrity_device_id_fkey" FOREIGN KEY ("device_id") REFERENCES "device"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- Written by hand from here on: what the schema language cannot say.

ALTER TABLE "device_order" ADD CONSTRAINT "device_order_kind" CHECK ("kind" IN ('maintenance', 'retirement') AND ("answered_at" IS NULL) = ("accepted" IS NULL));
ALTER TABLE "device_integrity" ADD CONSTRAINT "device_integrity_finding" CHECK (("finding" IS NULL) = ("found_at" IS NULL));
