-- Devices that are kept from launching anything.

-- AlterTable
ALTER TABLE "device" ADD COLUMN     "quarantine_reason" TEXT,
ADD COLUMN     "quarantined_at" TIMESTAMPTZ(3),
ADD COLUMN     "quarantined_by" TEXT;
