-- What people approve: proposals with their signatures, who says who is in a group, and devices that wait for an approval.

-- AlterTable
ALTER TABLE "device" ADD COLUMN     "awaiting" TEXT;

-- AlterTable
ALTER TABLE "device_group" ADD COLUMN     "membership" TEXT NOT NULL DEFAULT 'listed';

-- CreateTable
CREATE TABLE "proposal" (
    "id" TEXT NOT NULL,
    "title" TEXT NOT NULL,
    "state" TEXT NOT NULL,
    "snapshot" JSONB NOT NULL,
    "before" JSONB NOT NULL,
    "target" JSONB NOT NULL,
    "lists" JSONB NOT NULL,
    "payload" TEXT NOT NULL,
    "digest" TEXT NOT NULL,
    "epoch" INTEGER NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "created_by" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "closed_at" TIMESTAMPTZ(3),
    "serial" INTEGER,
    "change_set" TEXT,

    CONSTRAINT "proposal_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "proposal_signature" (
    "proposal_id" TEXT NOT NULL,
    "kid" TEXT NOT NULL,
    "protected" TEXT NOT NULL,
    "signature" TEXT NOT NULL,
    "added_by" TEXT NOT NULL,
    "added_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "proposal_signature_pkey" PRIMARY KEY ("proposal_id","kid")
);

-- CreateIndex
CREATE UNIQUE INDEX "proposal_serial_key" ON "proposal"("serial");

-- CreateIndex
CREATE INDEX "proposal_created_at_id_idx" ON "proposal"("created_at", "id");

-- AddForeignKey
ALTER TABLE "proposal_signature" ADD CONSTRAINT "proposal_signature_proposal_id_fkey" FOREIGN KEY ("proposal_id") REFERENCES "proposal"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- Written by hand from here on: what the schema language cannot say.

UPDATE "device_group" SET "membership" = 'all' WHERE "kind" = 'all';
-- Enrollment tokens put devices into these without asking anybody: the first proposal shows them as what they are.
UPDATE "device_group" SET "membership" = 'open'
WHERE "id" IN (SELECT group_id FROM "enrollment_token" WHERE group_id IS NOT NULL AND revoked_at IS NULL AND expires_at > now() AND uses < max_uses);

ALTER TABLE "device_group" ADD CONSTRAINT "device_group_membership" CHECK ("membership" IN ('all', 'listed', 'open') AND ("membership" = 'all') = ("kind" = 'all'));
CREATE TRIGGER proposal_signature_immutable BEFORE UPDATE OR DELETE ON "proposal_signature" FOR EACH ROW EXECUTE FUNCTION cordon_refuse_change();
CREATE TRIGGER proposal_signature_kept BEFORE TRUNCATE ON "proposal_signature" FOR EACH STATEMENT EXECUTE FUNCTION cordon_refuse_change();
